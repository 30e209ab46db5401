"""Clips in files: `load` and `save` by the file's suffix."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType

from kmm.body import Body
from kmm.clip import Clip

__all__ = ["FORMATS", "READABLE", "check", "choices", "load", "save"]

#: suffix -> the module that knows the format by `load`, `save` and `CHOICES`, what can be chosen of a file
FORMATS: dict[str, str] = {
    ".npz": "amass",
    ".bvh": "bvh",
    ".json": "web",
    ".glb": "gltf",
    ".gltf": "gltf",
    ".usd": "usd",
    ".usda": "usd",
    ".usdc": "usd",
    ".fbx": "fbx",
}
READABLE = tuple(suffix for suffix in FORMATS if suffix != ".fbx")  #: what `load` reads without a Blender


def load(path: str | os.PathLike[str]) -> Clip:
    """Read a clip. ValueError for an unknown suffix or a damaged file, OSError if it cannot be opened."""
    clip: Clip = _format(path).load(path)
    return clip


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    *,
    fps: float | None = None,
    units: str | None = None,
    up: str | None = None,
    layout: str | None = None,
    body: Body | None = None,
) -> None:
    """Write a clip, replacing the file only once all is written. Errors as for `load`.

    fps: resample to this rate. units ("m", "cm"), up ("y", "z") and layout (of npz: "smplh", "smplx"): None is what
    is usual for the format; ValueError for what it cannot be. body: whose proportions and skin to write, by default
    the mannequin's; npz files have no place for one.
    """
    module = _format(path)
    options: dict[str, object] = {}
    for name, value in (("units", units), ("up", up), ("layout", layout)):
        if value is None:
            continue
        allowed = module.CHOICES.get(name, ())
        if value not in allowed:
            raise ValueError(
                f"{Path(path).name}: {name} must be {' or '.join(allowed)} in this format, not {value}"
                if allowed
                else f"{Path(path).name}: this format has no {name} to choose"
            )
        options[name] = value
    if body is not None:
        if module.__name__.endswith(".amass"):
            raise ValueError(
                f"{Path(path).name}: npz files hold poses only, which are the same for every body"
            )
        options["body"] = body
    if fps is not None:
        if not fps > 0:
            raise ValueError(f"fps must be positive, got {fps:g}")
        clip = clip.resample(fps)
    module.save(clip, path, **options)


def choices(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """What can be chosen of a file of this suffix: option -> allowed values, the usual one first."""
    found: dict[str, tuple[str, ...]] = _format(path).CHOICES
    return found


def check(path: str | os.PathLike[str]) -> None:
    """ValueError if a file of this suffix cannot be written here, saying what must be installed."""
    module = _format(path)
    if hasattr(module, "check"):
        module.check()


def _format(path: str | os.PathLike[str]) -> ModuleType:
    """The format's module, imported only when it is needed."""
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        *most, last = sorted(FORMATS)
        told = f"{', '.join(most)} or {last}"
        raise ValueError(
            f"{Path(path).name}: the format is told by the suffix, which must be {told}, not {suffix!r}"
        )
    return import_module(f"kmm.formats.{FORMATS[suffix.lower()]}")
