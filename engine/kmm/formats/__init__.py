"""Clips in files: `load` and `save` by the file's suffix."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

from kmm.clip import Clip
from kmm.formats import amass, bvh

__all__ = ["FORMATS", "load", "save"]

#: suffix -> the module whose `load` and `save` know the format
FORMATS: dict[str, ModuleType] = {".npz": amass, ".bvh": bvh}


def load(path: str | os.PathLike[str]) -> Clip:
    """Read a clip. ValueError for an unknown suffix or a damaged file, OSError if it cannot be opened."""
    clip: Clip = _format(path).load(path)
    return clip


def save(clip: Clip, path: str | os.PathLike[str]) -> None:
    """Write a clip, replacing the file only once all is written. Errors as for `load`."""
    _format(path).save(clip, path)


def _format(path: str | os.PathLike[str]) -> ModuleType:
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        raise ValueError(
            f"{Path(path).name}: the format is told by the suffix, which must be {' or '.join(sorted(FORMATS))}, "
            f"not {suffix!r}"
        )
    return FORMATS[suffix.lower()]
