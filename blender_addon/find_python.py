"""Finding the Python that the engine runs in, which is never Blender's own: it needs torch.

Only looks at files. Whether the engine really runs there shows when it is started.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Where programs are put that a Blender started from a desktop icon does not have on its PATH.
USUAL_PLACES = ("~/.local/bin", "/opt/homebrew/bin", "/usr/local/bin", "~/miniconda3/bin", "~/anaconda3/bin")


def find_python(chosen: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The engine's Python: what the user chose, or $KMM_PYTHON, or the first that has the engine installed."""
    for named in (chosen, environment.get("KMM_PYTHON", "")):
        if named:
            path = Path(named).expanduser()
            return path if path.is_file() else None
    return next((p for p in _candidates(environment) if has_engine(p)), None)


def has_engine(python: Path) -> bool:
    """Whether kmm and torch are installed for this interpreter."""
    for packages in site_packages(python):
        if any(packages.glob("kmm-*.dist-info")) and (packages / "torch").is_dir():
            return True
    return False


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    yield from _of_environment(Path("~/.kmm").expanduser())
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environment.get(variable):
            yield from _of_environment(Path(environment[variable]))
    yield Path(sys.executable)  # bpy as a module, installed beside the engine
    places = [os.path.expanduser(p) for p in USUAL_PLACES]
    search = os.pathsep.join([environment.get("PATH", ""), *places])
    for program in ("kmm", "python3", "python"):
        found = shutil.which(program, path=search)
        if found:
            # pip and pipx put a program into its environment's own folder and may link to it from elsewhere
            for folder in {Path(found).parent, Path(found).resolve().parent}:
                yield from (folder / name for name in ("python", "python3", "python.exe"))


def _of_environment(root: Path) -> Iterator[Path]:
    yield from (root / "bin" / "python", root / "Scripts" / "python.exe", root / "python.exe")


def site_packages(python: Path) -> Iterator[Path]:
    """Where this interpreter's packages may be."""
    # not resolved: in a virtual environment the interpreter is a link, and its place is what counts
    if python.is_file():
        # others' packages may be left from a Python that is gone
        version = re.search(r"python3\.\d+", python.resolve().name)
        yield from python.parent.parent.glob(f"lib/{version[0] if version else 'python3*'}/site-packages")
        yield from (python.parent / "Lib/site-packages", python.parent.parent / "Lib/site-packages")
