"""A character's deforming bones and their motion as BVH, in the world's metres with Y up.

Blender's own exporter leaves out where the armature object is and how it is turned and scaled, which for imported
characters is most of it, and writes every control of a control rig.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from kmm import rotations as rot
from kmm.formats.axes import turn
from kmm.retarget.rig import orientation
from kmm.retarget.rotation_modes import encode
from numpy.typing import NDArray

Array = NDArray[np.floating]

STILL = 1e-5  #: metres; a joint that moves less in its parent has no location channels


def save(armature: bpy.types.Object, path: Path) -> None:
    """Write the scene's frame range."""
    scene = bpy.context.scene
    bones = [bone for bone in armature.data.bones if bone.use_deform] or list(armature.data.bones)
    names = [bone.name for bone in bones]
    parents = [_parent(bone, names) for bone in bones]
    rest, posed = _matrices(armature, bones, range(scene.frame_start, scene.frame_end + 1))
    if (
        parents.count(-1) != 1
    ):  # BVH has one root; where the bones have several, this one stands still at the origin
        names = [armature.name, *names]
        parents = [-1, *(parent + 1 for parent in parents)]
        rest, posed = (
            np.concatenate([np.broadcast_to(np.eye(4), (*m.shape[:-3], 1, 4, 4)), m], axis=-3)
            for m in (rest, posed)
        )
    tails = {bone.name: armature.matrix_world @ bone.tail_local for bone in bones}
    text = _text(names, parents, rest, posed, tails, scene.render.fps / scene.render.fps_base)
    path.write_text(text, encoding="utf-8")


def _parent(bone: bpy.types.Bone, names: list[str]) -> int:
    """Index of the nearest of the bones above, -1 if none."""
    return next((names.index(above.name) for above in bone.parent_recursive if above.name in names), -1)


def _matrices(armature: bpy.types.Object, bones: list[bpy.types.Bone], frames: range) -> tuple[Array, Array]:
    """World matrices at rest (N, 4, 4) and at the frames (T, N, 4, 4)."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    posed = np.empty((len(frames), len(bones), 4, 4))
    for t, frame in enumerate(frames):
        scene.frame_set(frame)
        there = armature.evaluated_get(layer.depsgraph)
        posed[t] = np.array(there.matrix_world) @ np.array(
            [there.pose.bones[bone.name].matrix for bone in bones]
        )
        if t == 0:
            rest = np.array(there.matrix_world) @ np.array([bone.matrix_local for bone in bones])
    return rest, posed


def _text(
    names: list[str], parents: list[int], rest: Array, posed: Array, tails: dict[str, Array], fps: float
) -> str:
    to_file = turn("y")
    at_rest = rot.apply(to_file, rest[:, :3, 3])
    heads = rot.apply(to_file, posed[..., :3, 3])
    # BVH joints have the world's axes at rest
    turned = rot.multiply(orientation(posed), rot.inv(orientation(rest)))
    turned = rot.multiply(rot.multiply(to_file, turned), rot.inv(to_file))
    lines, columns = ["HIERARCHY"], []

    def joint(i: int, tab: str) -> None:
        above = parents[i]
        offset, head, local = at_rest[i], heads[:, i], turned[:, i]
        if above >= 0:
            back = rot.inv(turned[:, above])
            offset, head = offset - at_rest[above], rot.apply(back, head - heads[:, above])
            local = rot.multiply(back, local)
        moves = above < 0 or np.abs(head - offset).max() > STILL
        if moves:
            columns.append(head)
        # Blender's XYZ turns about X first, so it is what BVH calls ZYX
        columns.append(np.degrees(encode("XYZ", rot.unflip(local)))[:, ::-1])
        channels = (["Xposition", "Yposition", "Zposition"] if moves else []) + [
            "Zrotation",
            "Yrotation",
            "Xrotation",
        ]
        lines.extend([
            f"{tab}{'JOINT' if above >= 0 else 'ROOT'} {'_'.join(names[i].split())}",
            f"{tab}{{",
            f"{tab}\tOFFSET {_numbers(offset)}",
            f"{tab}\tCHANNELS {len(channels)} {' '.join(channels)}",
        ])  # fmt: skip
        below = [child for child, parent in enumerate(parents) if parent == i]
        for child in below:
            joint(child, tab + "\t")
        if not below:
            end = rot.apply(to_file, np.array(tails[names[i]])) - at_rest[i]
            lines.extend([f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {_numbers(end)}", f"{tab}\t}}"])
        lines.append(f"{tab}}}")

    joint(parents.index(-1), "")
    values = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1 / fps:.9g}"]
    lines += [_numbers(row) for row in values]
    return "\n".join(lines) + "\n"


def _numbers(values: Array) -> str:
    return " ".join(f"{value:.6f}" for value in values)
