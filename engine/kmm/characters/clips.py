"""Clips to retarget, from any file that has one."""

from __future__ import annotations

from pathlib import Path

from kmm import formats
from kmm.clip import Clip
from kmm.formats.bvh_parser import parse
from kmm.retarget import bvh


def read(path: Path) -> Clip:
    """What `kmm.formats` reads, and BVH files of any humanoid. ValueError names the file; OSError."""
    try:
        return formats.load(path)
    except ValueError:
        if path.suffix.lower() != ".bvh":
            raise
    try:  # of another skeleton than ours
        return bvh.to_clip(parse(path.read_bytes().decode("utf-8-sig", errors="replace")))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
