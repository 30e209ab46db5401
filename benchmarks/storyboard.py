"""A storyboard in Blender: generated, a block made anew, gone on from, poses filled between; what stays, what fits.

    python benchmarks/storyboard.py [--fps 24] [--picture docs/pictures/storyboard.png] [--blend FILE]

In a Python that can import bpy, with the engine installed in it or in the one that $KMM_PYTHON names. Prints a table,
and draws the motions.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "engine")]

from kmm import rotations as rot  # noqa: E402
from kmm.clip import Clip  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import action_api, performer, reading  # noqa: E402

BOARD = (("a person walks forward", 3.0), ("a person turns left", 2.0), ("a person walks forward", 3.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", help="film strips of the motions, to look at")
    parser.add_argument("--blend", help="file to write with the storyboard, for a picture of the panel")
    parser.add_argument("--fps", type=int, default=24)
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    bpy.context.scene.render.fps = options.fps
    try:
        strips = run(bpy.context.scene, options.fps, options.blend)
    finally:
        blender_addon.unregister()  # and the engine ends
    if options.picture:
        from kmm.preview import film_strip_sheet

        film_strip_sheet(list(strips.values()), list(strips), options.picture, count=12)
    sys.stdout.flush()
    os._exit(0)  # bpy as a module may crash while it is torn down


def run(scene: bpy.types.Scene, fps: int, blend: str | None) -> dict[str, Clip]:
    """Every flow once; prints a line about each. blend: where to write the file after the second."""
    settings, strips = scene.kmm, {}
    write(scene, *BOARD)
    bpy.ops.kmm.generate()
    before = strips["a storyboard of three blocks"] = motion(scene)
    settings.blocks[1].prompt = "a person jumps"
    bpy.ops.kmm.regenerate_block(index=1)
    after = strips["its second block made anew: a person jumps"] = motion(scene)
    bent = round(settings.blocks[1].transition * fps)
    outside = np.ones(len(after), bool)
    outside[3 * fps - bent : 5 * fps + bent] = False
    same = (after.rotations == before.rotations)[outside].all() and (after.translation == before.translation)[
        outside
    ].all()
    print(f"| block anew | frames outside it and {bent} frames around it are the same to the bit | {same} |")
    print(f"| | {jerks(after, [3 * fps - bent, 5 * fps + bent])} |")
    if blend:
        bpy.ops.wm.save_as_mainfile(filepath=blend)
    settings.place = "CONTINUE"
    write(scene, ("a person sits down", 3.0))
    bpy.ops.kmm.generate()
    strips["and then, after the last key: a person sits down"] = motion(scene)
    print(f"| after the last key | {jerks(motion(scene), [8 * fps])} |")
    settings.place = "ORIGIN"
    frames = [1, round(0.8 * fps), 2 * fps, 4 * fps]
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=4.0, seed=2)
    only(scene, frames)
    given = motion(scene, frames)
    bpy.ops.kmm.in_between(frame_start=1, frame_end=frames[-1], prompt="a person walks forward")
    found = motion(scene, frames)
    metres = np.abs(found.joints() - given.joints()).max()
    turns = rot.as_rotvec(rot.multiply(found.rotations, rot.inv(given.rotations)))
    degrees = np.degrees(np.linalg.norm(turns, axis=-1)).max()
    print(f"| between key poses | joints off at the {len(frames)} given frames | {1000 * metres:.3f} mm |")
    print(f"| | bones off there | {degrees:.4f} degrees |")
    filled = strips["filled between four key poses"] = motion(scene)
    print(f"| | {jerks(filled, [f - 1 for f in frames[1:-1]])} |")
    return strips


def write(scene: bpy.types.Scene, *blocks: tuple[str, float]) -> None:
    while scene.kmm.blocks:
        bpy.ops.kmm.block_remove(index=0)
    for seed, (prompt, seconds) in enumerate(blocks, start=1):
        bpy.ops.kmm.block_add(prompt=prompt)
        block = scene.kmm.blocks[scene.kmm.active_block]
        block.seconds, block.seed = seconds, seed


def motion(scene: bpy.types.Scene, frames: list[int] | None = None) -> Clip:
    """What the character's keys show, at all their frames or some."""
    obj = scene.kmm.character
    action = obj.animation_data.action
    frames = frames or reading.key_frames(obj, action)
    found = reading.motion(obj, performer.performer_for(obj), action, frames, scene.render.fps)
    assert found is not None
    return found


def only(scene: bpy.types.Scene, frames: list[int]) -> None:
    """Leave the keys of these frames."""
    for curve in action_api.curves(scene.kmm.character.animation_data.action):
        for point in reversed(curve.keyframe_points):
            if round(point.co.x) not in frames:
                curve.keyframe_points.remove(point)
        curve.update()


def jerks(clip: Clip, seams: list[int]) -> str:
    """The largest acceleration of a joint within three frames of a seam, and of all the motion."""
    joints = clip.joints()
    size = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max(axis=1) * clip.fps**2
    near = max(float(size[max(0, seam - 4) : seam + 3].max()) for seam in seams)
    usual = np.percentile(size, 95)
    return f"acceleration at the seams, and its 95th percentile anywhere | {near:.0f}, {usual:.0f} m/s²"


if __name__ == "__main__":
    main()
