"""Runs the tests of inside/ in every Blender, in a fresh one, with the extension installed from its zip."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT, blender_pythons, run

HERE = Path(__file__).parent
FILES = [*sorted((HERE / "inside").glob("test_*.py")), HERE / "test_bvh_import.py"]
#: About processes and not about what Blender has in it: in the first Blender always, in the others with -m slow.
PROCESSES = {"test_engine", "test_installing"}
#: About actions, slots and keys, in which Blenders differ: in all always. The rest always in the first and the last
#: Blender, between which the others are, and in these with -m slow.
ACTIONS = {"test_generate", "test_kept_keys", "test_keying", "test_takes"}
NOTHING = 5  #: pytest's exit code where a file has no test of the kind
LEAVE_AN_ENGINE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from inside.install import install
stream = install()
import bpy
bpy.ops.kmm.start_engine()
while stream.engine.client is None:
    stream.engine.poll()
    time.sleep(0.01)
print("ENGINE", stream.engine.pid, flush=True)
if sys.argv[2] == "crash":
    import os
    os.kill(os.getpid(), 9)
"""


# a process a file: what one leaves behind in Blender's memory must not be able to fail or crash another
@pytest.mark.timeout(400)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_inside(blender: str, clean_blender: dict[str, str], file: Path) -> None:
    if _can_wait(blender, file):
        pytest.skip("run in other Blenders, and in this one with -m slow")
    print(inside(blender, clean_blender, "not slow", file, 380))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_long_rest_inside(blender: str, clean_blender: dict[str, str], file: Path) -> None:
    mark = "slow or not slow" if _can_wait(blender, file) else "slow"
    print(inside(blender, clean_blender, mark, file, 1180))


def _can_wait(blender: str, file: Path) -> bool:
    pythons = blender_pythons()
    between = blender in pythons[1:-1] and file.stem not in ACTIONS
    return between or (file.stem in PROCESSES and blender != pythons[0])


def inside(blender: str, environment: dict[str, str], mark: str, file: Path, seconds: float) -> str:
    options = ["-q", "-x", "-rs", "-m", mark, "-p", "no:cacheprovider"]
    passes = (0, NOTHING) if mark == "slow" else (0,)
    return run([blender, "-m", "pytest", *options, str(file)], environment, seconds, passes)


@pytest.mark.parametrize("end", ["exit", "crash"])
def test_the_engine_dies_with_blender(blender: str, clean_blender: dict[str, str], end: str) -> None:
    done = subprocess.run(
        [blender, "-c", LEAVE_AN_ENGINE, str(HERE), end],
        env=clean_blender, cwd=ROOT, timeout=120, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("ENGINE")]
    pid = int(line.split()[1])
    deadline = time.monotonic() + 20
    while _alive(pid):
        assert time.monotonic() < deadline, f"the engine {pid} outlives its Blender"
        time.sleep(0.2)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform == "linux":  # a zombie is dead, only not yet collected by whoever adopted it
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return True
