"""How long retargeting to a full Rigify human takes in Blender, beside `nla.bake` of the same through constraints.

    python benchmarks/retarget.py [BLENDER_PYTHON] [--repeats 7]

BLENDER_PYTHON can import bpy (default: this one); there Rigify generates the rig. Prints a table in Markdown; times
are medians of processor time, with the range of the middle half. The whole way is: read the source's action, find
the bone map, retarget, write the new action's F-curves. `nla.bake` bakes the same bones, turned by Copy Rotation
constraints from the same source, turn about in the same run.
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
from typing import Any

ROOT = Path(__file__).parents[1]
FRAMES = (1_000, 10_000)
BAKED = 200  #: nla.bake's cost goes by the frame, so these are enough to know it
ONLY_MATHS, WHOLE, BOTH_ENDS = "the maths alone", "the whole way", "with feet, hands and the IK controls"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure retargeting in Blender.")
    parser.add_argument("python", nargs="?", default=sys.executable, help="a Python that can import bpy")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print("RESULT", json.dumps(measure(options.repeats)), flush=True)
        os._exit(0)  # bpy as a module may crash while it is torn down
    with tempfile.TemporaryDirectory() as folder:
        command = [options.python, __file__, "--inside", "--repeats", str(options.repeats)]
        own = {"OMP_NUM_THREADS": "1", "BLENDER_USER_RESOURCES": folder}
        done = subprocess.run(command, capture_output=True, text=True, timeout=3600, env=os.environ | own)
    if done.returncode:
        raise SystemExit(done.stderr)
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
    show(json.loads(line.removeprefix("RESULT ")))


def show(result: dict[str, Any]) -> None:
    print(f"Blender {result['blender']}: from SMPL to a Rigify human of {result['bones']} bones, ", end="")
    print(f"{result['keyed']} of them keyed.\n")
    print("| | " + " | ".join(f"{n:,} frames" for n in FRAMES) + " |")
    print("|---" * (1 + len(FRAMES)) + "|")
    for way, times in result["times"].items():
        print("|", " | ".join([way, *(spread(times[str(n)]) for n in FRAMES)]), "|")
    bake = sorted(result["bake"])
    a_frame = [1e3 * t / BAKED for t in bake]
    print(f"\n`nla.bake` of {result['baked']} bones: {spread(a_frame, 1, 'ms')} a frame ({BAKED} frames).")
    for n in FRAMES:
        ours = sorted(result["times"][WHOLE][str(n)])
        ratio = bake[len(bake) // 2] / BAKED * n / ours[len(ours) // 2]
        print(f"The whole way, {n:,} frames, is {ratio:.0f} times as fast.")


def spread(values: list[float], scale: float = 1e3, unit: str = "ms") -> str:
    """Median and middle half."""
    ordered = sorted(v * scale for v in values)
    low, middle, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.25, 0.5, 0.75))
    digits = 1 if high < 100 else 0
    return f"{middle:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"


def measure(repeats: int) -> dict[str, Any]:
    """Inside Blender."""
    sys.path[:0] = [str(ROOT), str(ROOT / "engine")]
    import bpy
    from kmm.retarget import Options, Retargeter, smpl
    from kmm.retarget.bone_map import named

    from blender_addon.retargeting import retarget_action, rigs

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    bpy.context.object.name = "metarig"
    bpy.ops.pose.rigify_generate()
    rig = bpy.data.objects["rig"]
    sources = {n: source(n) for n in FRAMES}
    times: dict[str, dict[int, list[float]]] = {
        way: {n: [] for n in FRAMES} for way in (ONLY_MATHS, WHOLE, BOTH_ENDS)
    }
    bake: list[float] = []
    retargeter = Retargeter(smpl.rig(), named("smpl"), rigs.read(rig), named("rigify"))
    keys = retargeter(*smpl.pose(clip(2), retargeter.source_bones))
    for _ in range(repeats):
        for n in FRAMES:
            motion = clip(n)
            start = time.process_time()
            retargeter(*smpl.pose(motion, retargeter.source_bones))
            times[ONLY_MATHS][n].append(time.process_time() - start)
            for way, options in (
                (WHOLE, Options()),
                (BOTH_ENDS, Options("follow", True, True, ik_controls=True)),
            ):
                start = time.process_time()
                action = retarget_action(sources[n], rig, options=options)
                times[way][n].append(time.process_time() - start)
                rig.animation_data.action = None
                bpy.data.actions.remove(action)
        bake.append(nla_bake(rig, sources[FRAMES[0]], keys.bones))
    return {
        "blender": bpy.app.version_string, "bones": len(rig.data.bones), "keyed": len(keys.bones),
        "baked": len(keys.bones), "times": times, "bake": bake,
    }  # fmt: skip


def clip(frames: int) -> Any:
    """Any poses: their rotations cost the same as those of a person."""
    import numpy as np
    from kmm import rotations as rot
    from kmm.clip import Clip
    from kmm.skeleton import STANDING_HEIGHT

    rng = np.random.default_rng(0)
    translation = np.tile([0.0, 0.0, STANDING_HEIGHT], (frames, 1))
    return Clip(translation, rot.unflip(rot.normalize(rng.normal(size=(frames, 22, 4)))))


def source(frames: int) -> Any:
    """KMM's own armature with such a motion."""
    import bpy

    from blender_addon import action_api, armature, character
    from blender_addon.keying import Keyer

    obj = character.create(bpy.context)
    armature.use_quaternions(obj)
    action = action_api.new_action(f"{frames} frames", obj.name)
    keyer = Keyer(action, armature.channels(), 1, frames)
    keyer.append(armature.PoseConverter(obj.data)(clip(frames)))
    keyer.write()
    action_api.assign(obj, action)
    return obj


def nla_bake(rig: Any, giver: Any, bones: tuple[str, ...]) -> float:
    """Seconds for BAKED frames of the same bones, each turned by a constraint from a bone of the source."""
    import bpy
    from kmm.retarget.bone_map import named

    leaders = {name: chain for chain, name in leading(named("smpl"), named("rigify"))}
    added = []
    for name in bones:
        bone = rig.pose.bones[name]
        constraint = bone.constraints.new("COPY_ROTATION")
        constraint.target, constraint.subtarget = giver, leaders.get(name, "pelvis")
        added.append((bone, constraint))
    objects = bpy.context.view_layer.objects
    objects.active = rig
    bpy.ops.object.mode_set(mode="POSE")
    select_only(rig, bones)
    start = time.process_time()
    bpy.ops.nla.bake(
        frame_start=1, frame_end=BAKED, only_selected=True, visual_keying=True, clear_constraints=False,
        use_current_action=False, bake_types={"POSE"},
    )  # fmt: skip
    seconds = time.process_time() - start
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone, constraint in added:
        bone.constraints.remove(constraint)
    action = rig.animation_data.action
    rig.animation_data.action = None
    bpy.data.actions.remove(action)
    return seconds


def select_only(rig: Any, names: tuple[str, ...]) -> None:
    """In pose mode; bones keep whether they are selected themselves since 5.0."""
    for bone in rig.pose.bones:
        owner = bone if hasattr(bone, "select") else bone.bone
        owner.select = bone.name in names


def leading(source_map: Any, target_map: Any) -> list[tuple[str, str]]:
    """Pairs of a source bone and the target bone that follows it."""
    pairs = []
    for role, chain in target_map.bones.items():
        for i, name in enumerate(chain):
            if role in source_map.bones:
                theirs = source_map.bones[role]
                pairs.append((theirs[min(i, len(theirs) - 1)], name))
    return pairs


if __name__ == "__main__":
    main()
