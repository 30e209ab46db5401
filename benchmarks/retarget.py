"""How long retargeting takes: from a clip to the local transforms of a full Rigify human's controls.

    python benchmarks/retarget.py [BLENDER_PYTHON]

The argument is a Python that can import bpy (default: this one), in which Rigify generates the rig. Prints a table in
Markdown; times are medians, with the range of the middle half, of processor time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRAMES = (1_000, 10_000)
REPEATS = 7


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--inside":
        print("RESULT", json.dumps(measure()), flush=True)
        os._exit(0)  # bpy as a module may crash while it is torn down
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    done = subprocess.run(
        [python, __file__, "--inside"], capture_output=True, text=True, timeout=600, check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
    result = json.loads(line.removeprefix("RESULT "))
    print(f"From SMPL to a Rigify human of {result['bones']} bones, {result['keyed']} of them keyed.\n")
    print("| | " + " | ".join(f"{n:,} frames" for n in FRAMES) + " |")
    print("|---" * (1 + len(FRAMES)) + "|")
    for way, times in result["times"].items():
        print("|", " | ".join([way, *(show(times[str(n)]) for n in FRAMES)]), "|")


def show(seconds: list[float]) -> str:
    """Median and middle half."""
    ordered = sorted(s * 1e3 for s in seconds)
    low, middle, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.25, 0.5, 0.75))
    return f"{middle:.0f} ms ({low:.0f} to {high:.0f})"


def measure() -> dict[str, object]:
    """Inside Blender."""
    sys.path[:0] = [str(ROOT / "engine")]
    import bpy
    import numpy as np
    from kmm import rotations as rot
    from kmm.clip import Clip
    from kmm.retarget import Options, Retargeter, Rig, smpl
    from kmm.retarget.bone_map import named
    from kmm.skeleton import STANDING_HEIGHT

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    bones = max(bpy.data.armatures, key=lambda armature: len(armature.bones)).bones
    rig = Rig(
        tuple(b.name for b in bones),
        tuple(bones.find(b.parent.name) if b.parent else -1 for b in bones),
        np.array([b.matrix_local for b in bones]),
        tuple(b.use_local_location for b in bones),
    )
    rng = np.random.default_rng(0)
    times: dict[str, dict[int, list[float]]] = {}
    keyed = 0
    for way, options in (
        ("rotations and pelvis", Options()),
        (
            "and feet and hands by inverse kinematics, and the IK controls",
            Options("follow", True, True, ik_controls=True),
        ),
    ):
        retargeter = Retargeter(smpl.rig(), named("smpl"), rig, named("rigify"), options)
        for frames in FRAMES:
            translation = np.tile([0.0, 0.0, STANDING_HEIGHT], (frames, 1))
            clip = Clip(translation, rot.normalize(rng.normal(size=(frames, 22, 4))))
            for _ in range(REPEATS):
                start = time.process_time()
                keys = retargeter(*smpl.pose(clip, retargeter.source_bones))
                times.setdefault(way, {}).setdefault(frames, []).append(time.process_time() - start)
            keyed = max(keyed, len(keys.bones))
    return {"bones": len(bones), "keyed": keyed, "times": times}


if __name__ == "__main__":
    main()
