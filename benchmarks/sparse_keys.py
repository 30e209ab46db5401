"""How many keys hold a motion: generated motions reduced in Blender, and where their joints are afterwards.

    python benchmarks/sparse_keys.py [--weights kmm-open] [--seeds 3] [--data FOLDER] [BLENDER_PYTHON ...]

Each BLENDER_PYTHON can import bpy, pyzmq and msgpack (default: this one). Prints tables in Markdown. Keys are counted
on all channels; errors are the largest of any joint at any frame, as Blender evaluates the curves. With a data folder
also how far recorded walks of 3 s and more are reduced.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PROMPTS = {
    "walk": "a person walks forward",
    "run": "a person runs forward",
    "turn": "a person walks and turns left",
    "jump": "a person jumps",
}
FRAMES = 150
CHOICES = [("BEZIER", 5.0), ("BEZIER", 10.0), ("LINEAR", 5.0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pythons", nargs="*", default=[sys.executable], metavar="BLENDER_PYTHON")
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print("RESULT", json.dumps(measure(Path(options.inside))))
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(options.weights, options.seeds, Path(folder))
        for python in options.pythons:
            done = subprocess.run(
                [python, __file__, "--inside", folder], capture_output=True, text=True, timeout=1200, check=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            (line,) = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
            show(json.loads(line.removeprefix("RESULT ")), options)
    if options.data:
        times = recorded(options.data)
        low, middle, high = np.percentile(times, (25, 50, 75))
        print(
            f"{len(times)} recorded walks, Bezier, 5 mm: {middle:.1f} times fewer ({low:.1f} to {high:.1f})"
        )


def recorded(data: Path) -> list[float]:
    """Frames for each key of straight walks in the training split, cut to `FRAMES`."""
    from kmm import sparse
    from kmm.data import folders
    from kmm.data.annotate import actions
    from kmm.data.records import commercial_only, in_split
    from kmm.data.signals import signals

    found = []
    for recording in in_split(commercial_only(folders.read(data)), "train"):
        for action in actions(signals(recording.clip)) if len(recording.clip) > 1 else ():
            if action.kind == "walk_forward" and len(action) >= 90:
                clip = recording.clip.slice(action.start, min(action.end, action.start + FRAMES))
                found.append(len(clip) / len(sparse.reduce_clip(clip).frames))
    return found


def generate(weights: str, seeds: int, folder: Path) -> None:
    """One file a motion, NAME-SEED.npz."""
    from kmm import formats
    from kmm.model.pipeline import Pipeline
    from kmm.protocol import PromptSegment

    pipeline = Pipeline.load(weights)
    for name, prompt in PROMPTS.items():
        for seed in range(seeds):
            clip = pipeline.clip([PromptSegment(prompt, FRAMES)], seed=seed)
            formats.save(clip, folder / f"{name}-{seed}.npz")


def show(result: dict, options: argparse.Namespace) -> None:
    total = FRAMES * options.seeds
    print(f"Blender {result['version']}, {options.weights}, {options.seeds} seeds of {FRAMES} frames each:\n")
    heads = [f"{kind.capitalize()}, {tolerance:g} mm" for kind, tolerance in CHOICES]
    print(f"| motion | keys, one a frame | {' | '.join(heads)} |")
    print("|---" * (2 + len(heads)) + "|")
    for name in PROMPTS:
        cells = []
        for kind, tolerance in CHOICES:
            after, error = (result["found"][f"{name} {kind} {tolerance}"][key] for key in ("keys", "error"))
            cells.append(f"{after:,} ({91 * total / after:.1f} times fewer), error {error:.2f} mm")
        print(f"| {name} | {91 * total:,} | {' | '.join(cells)} |")
    print(f"\nReducing {result['long']:,} frames: {result['seconds']:.1f} s of processor time.\n")


def measure(folder: Path) -> dict[str, object]:
    """Inside Blender."""
    sys.path[:0] = [str(ROOT), str(ROOT / "engine")]
    import bpy
    from kmm import formats, sparse

    from blender_addon import action_api, armature, character, edit_keys
    from blender_addon.keying import Keyer

    obj = character.create(bpy.context)
    armature.use_quaternions(obj)

    def joints() -> np.ndarray:
        places = []
        for frame in range(1, FRAMES + 1):
            bpy.context.scene.frame_set(frame)
            places.append([bone.head.copy() for bone in obj.pose.bones])
        return np.array(places)

    found: dict[str, dict[str, float]] = {}
    values = []
    for name in PROMPTS:
        for path in sorted(folder.glob(f"{name}-*.npz")):
            clip = formats.load(path)
            values.append(sparse.channels(clip))
            for kind, tolerance in CHOICES:
                action = action_api.new_action("take", obj.name)
                keyer = Keyer(action, armature.channels(), 1, FRAMES)
                keyer.append(armature.PoseConverter(obj.data)(clip))
                keyer.write()
                action_api.assign(obj, action)
                before = joints()
                report = edit_keys.reduce_action(obj, action, None, None, tolerance * 1e-3, kind)
                moved = float(np.linalg.norm(joints() - before, axis=-1).max()) * 1e3
                row = found.setdefault(f"{name} {kind} {tolerance}", {"keys": 0, "error": 0.0})
                row["keys"], row["error"] = row["keys"] + report.after, max(row["error"], moved)
                bpy.data.actions.remove(action)
    minute = np.concatenate((values * 12)[:12])
    start = time.process_time()
    sparse.reduce_keys(minute, sparse.body_points)
    seconds = time.process_time() - start
    return {"version": bpy.app.version_string, "found": found, "long": len(minute), "seconds": seconds}


if __name__ == "__main__":
    main()
