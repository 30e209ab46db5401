"""Running a script in a Blender without a window: the one at hand as a Python module, or one that is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path
from typing import Any

import kmm

SECONDS = 300.0  #: a Blender that has not finished by then is given up

#: Where installers put Blender, for those who do not have it on their PATH.
_PLACES = (
    ("/Applications", "Blender*.app/Contents/MacOS/Blender"),
    (os.environ.get("PROGRAMFILES", ""), "Blender Foundation/Blender */blender.exe"),
)


class BlenderError(ValueError):
    """Blender is not there or failed; the text says what happened."""


def find_blender() -> Path | None:
    """A Blender on the PATH or where installers put it, the newest; None if there is none."""
    if found := shutil.which("blender"):
        return Path(found)
    installed = [path for folder, pattern in _PLACES if folder for path in sorted(Path(folder).glob(pattern))]
    return installed[-1] if installed else None


def command(blender: Path | None = None) -> list[str] | None:
    """How to run a script in Blender: the one given, Blender as a Python module, or one that is found.

    blender: a Blender's program, or a Python that has Blender as a module.
    """
    if blender is None and util.find_spec("bpy") is not None:
        return [sys.executable]
    program = blender or find_blender()
    if program is None:
        return None
    if program.name.startswith("python"):
        return [str(program)]
    return [str(program), "-b", "--factory-startup", "--python-exit-code", "1", "--python"]


def addon_folder() -> Path:
    """The add-on's package, which is inside ours when installed, beside it in a checkout. Raises BlenderError."""
    package = Path(kmm.__file__).parent
    for folder in (package / "addon" / "blender_addon", package.parents[1] / "blender_addon"):
        if folder.is_dir():
            return folder
    raise BlenderError("This kmm came without its Blender add-on; install it anew from its wheel or checkout")


def run(script: Path, job: dict[str, Any], blender: list[str], seconds: float = SECONDS) -> str:
    """What a script prints in a Blender of `command`; it gets the job as JSON after `--`.

    Raises BlenderError if it fails, or takes longer than some seconds.
    """
    arguments = [*blender, str(script), "--", json.dumps(job)]
    # Folders of its own: a Blender that starts without the user's extensions throws their packages away
    with tempfile.TemporaryDirectory() as resources:
        environment = os.environ | {"BLENDER_USER_RESOURCES": resources}
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=seconds, env=environment)
        except subprocess.TimeoutExpired:
            raise BlenderError(f"Blender had not finished after {seconds:g} seconds.") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise BlenderError(f"Blender failed: {words[-1]}")
    return done.stdout
