"""How long key writing takes in Blender: a whole motion at once, and a stream in pieces.

    python benchmarks/keying.py [BLENDER_PYTHON ...]

Each argument is a Python that can import bpy, pyzmq and msgpack (default: this one). Prints a table in Markdown;
times are medians, with the range of the middle half, of processor time: all of it is one thread's work, and so what
else the computer does is not counted. A piece of a stream goes onto a character in passes between which Blender would
go on with its own work: all of them together, Blender's evaluation included, and the longest one. As in the
extension, long motions are worn thinned while they come.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRAMES = 10_000
REPEATS = 7
CHUNK = 10  #: frames in a piece of a stream
CHUNKS = 40  #: pieces measured at each length
LENGTHS = (300, 1800, 10_000, 18_000)  #: frames of the whole motion that the pieces belong to


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--inside":
        print("RESULT", json.dumps(measure()))
        return
    print(f"Keys of 22 bones' rotations and the pelvis' location, {91 * FRAMES:,} for {FRAMES:,} frames.\n")
    lengths = " | ".join(f"{CHUNK} frames in {length:,}: in all | longest pass" for length in LENGTHS)
    print(f"| Blender | {FRAMES:,} frames at once | {lengths} |")
    print("|---" * (2 + 2 * len(LENGTHS)) + "|")
    for python in sys.argv[1:] or [sys.executable]:
        done = subprocess.run(
            [python, __file__, "--inside"], capture_output=True, text=True, timeout=600, check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        (line,) = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
        result = json.loads(line.removeprefix("RESULT "))
        pieces = [
            show([times[kind] for times in result["pieces"][str(length)]], 1e3, "ms")
            for length in LENGTHS
            for kind in (0, 1)
        ]
        print("|", " | ".join([result["version"], show(result["whole"], 1.0, "s"), *pieces]), "|")


def show(seconds: list[float], scale: float, unit: str) -> str:
    """Median and middle half."""
    ordered = sorted(s * scale for s in seconds)
    low, middle, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.25, 0.5, 0.75))
    return f"{middle:.2f} {unit} ({low:.2f} to {high:.2f})"


def measure() -> dict[str, object]:
    """Inside Blender."""
    sys.path[:0] = [str(ROOT), str(ROOT / "engine")]
    import bpy
    import numpy as np

    from blender_addon import action_api, armature
    from blender_addon.generation import WRITE_SECONDS
    from blender_addon.keying import Keyer, Thinned
    from blender_addon.performance import LIVE_KEYS

    bpy.ops.wm.read_factory_settings(use_empty=True)
    character = bpy.data.objects.new("body", bpy.data.armatures.new("body"))
    bpy.context.collection.objects.link(character)
    bpy.context.view_layer.objects.active = character
    bpy.ops.object.mode_set(mode="EDIT")
    armature.add_bones(character.data)
    bpy.ops.object.mode_set(mode="OBJECT")
    values = np.random.default_rng(0).normal(size=(FRAMES, len(armature.channels())))

    def keyer(length: int) -> Keyer:
        for action in list(bpy.data.actions):
            bpy.data.actions.remove(action)
        return Keyer(action_api.new_action("take", "body"), armature.channels(), 1, length)

    whole = []
    for _ in range(REPEATS):
        start = time.process_time()
        k = keyer(FRAMES)
        k.append(values)
        k.write()
        whole.append(time.process_time() - start)

    pieces: dict[int, list[tuple[float, float]]] = {}
    for length in LENGTHS:
        k = keyer(length)
        worn = Thinned(k, LIVE_KEYS) if length > LIVE_KEYS else k
        worn.prepare(float("inf"))
        action_api.assign(character, worn.action())
        bpy.context.view_layer.update()
        pieces[length] = []
        for i in range(
            min(CHUNKS, length // CHUNK) - 1
        ):  # the last of a short motion also finishes the curves
            k.append(values[i * CHUNK : (i + 1) * CHUNK])
            passes, done = [], False
            while not done:
                start = time.process_time()
                done = worn.write(WRITE_SECONDS)
                if done:
                    character.update_tag(refresh={"TIME"})
                bpy.context.view_layer.update()
                passes.append(time.process_time() - start)
            pieces[length].append((sum(passes), max(passes)))
    return {"version": bpy.app.version_string, "whole": whole, "pieces": pieces}


if __name__ == "__main__":
    main()
