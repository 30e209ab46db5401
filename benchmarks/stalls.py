"""How long Blender's main thread stands still while a motion streams in, in a real window.

    python benchmarks/stalls.py [--seconds 10 60 600] [--weights kmm-open]

Needs what tests/gui needs: Xvfb, xdotool, a Blender ($KMM_BLENDER_EXE or on PATH), and kmm[engine] in this Python. A
timer notes every pass of Blender's main loop. Between two passes lies all that would make the interface stick: our
work, Blender's evaluation and its drawing. Two clocks run: the one on the wall, which also counts what else the
computer does and the drawing that a virtual screen has no graphics card for, and the main thread's own processor
time, which does not. The first two lines are Blender as it idles, and as it idles with its 3D view drawn as often as
while poses stream in.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from gui import screen, window  # noqa: E402

LIMIT = 0.050  #: seconds that nobody notices
IDLE_SECONDS = 10.0
STREAM = "__import__('sys').modules['bl_ext.user_default.kmm.stream']"
GENERATE = "generate(bpy.ops.kmm.generate, 'a person walks forward', {seconds})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Measure stalls of Blender's main thread while motions stream in."
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[10, 60, 600], help="lengths of motion")
    parser.add_argument("--weights", default="kmm-open")
    options = parser.parse_args()
    reason = screen.missing() or window.missing()
    if reason:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder, screen.Screen(1280, 800) as display:
        resources = Path(folder) / "resources"
        install(Path(folder), resources)
        environment = {"KMM_PYTHON": os.environ.get("KMM_PYTHON", sys.executable)}
        with window.Window(display, resources, environment=environment) as blender:
            blender.ask(f"choose_weights({options.weights!r})")
            blender.ask("start_engine()")
            blender.wait(f"{STREAM}.engine.client is not None", 300)
            blender.ask("show_sidebar('KMM')")
            version = blender.ask("bpy.app.version_string")
            print(
                f"Blender {version}, {options.weights}, 3D view in solid mode, drawn without a graphics card\n"
            )
            print(
                "| | passes | wall, ms: median | worst | own time, ms: median | worst | passes over 50 ms |"
            )
            print("|---|---|---|---|---|---|---|")
            show("idle", watch(blender, "", IDLE_SECONDS))
            show("idle, drawn 10 times a second", watch(blender, "", IDLE_SECONDS, redraw=True))
            for seconds in options.seconds:
                blender.ask(GENERATE.format(seconds=1.0))  # the character is there before
                blender.wait(f"not {STREAM}.running()", 600)
                show(f"{seconds:g} s of motion", watch(blender, GENERATE.format(seconds=seconds), 1.0))


def install(folder: Path, resources: Path) -> None:
    """The extension as it is here, by Blender's own command."""
    build = [sys.executable, str(ROOT / "build_addon.py"), "--out", str(folder), "--platform", "linux-x64"]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (archive,) = folder.glob("*.zip")
    resources.mkdir()
    window.install(archive, resources)


def watch(blender: window.Window, begin: str, seconds: float, redraw: bool = False) -> np.ndarray:
    """(passes, 2) seconds of each pass, by the wall and by the main thread, until it is done and some more."""
    blender.ask(f"passes.start({redraw})")
    if begin:
        blender.ask(begin)
        blender.wait(f"not {STREAM}.running() and not {STREAM}._to_announce", 1200)
    blender.wait(f"passes.seconds() > {seconds}", 60)
    return np.array(blender.ask("passes.stop()"))


def show(name: str, passes: np.ndarray) -> None:
    wall, own = (passes * 1000).T
    over = [f"{(clock > LIMIT * 1000).sum()} {what}" for clock, what in ((wall, "wall"), (own, "own"))]
    figures = [f"{len(passes)}", f"{np.median(wall):.1f}", f"{wall.max():.0f}", f"{np.median(own):.2f}"]
    print(f"| {name} | {' | '.join([*figures, f'{own.max():.0f}', ', '.join(over)])} |", flush=True)


if __name__ == "__main__":
    main()
