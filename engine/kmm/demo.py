"""`kmm demo`: the whole main job once, on real parts."""

from __future__ import annotations

import shutil
from pathlib import Path


def find_blender() -> Path | None:
    """The Blender on the PATH, if there is one."""
    found = shutil.which("blender")
    return Path(found) if found else None
