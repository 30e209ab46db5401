"""The part of `kmm.formats.fbx` that runs inside Blender: an animated glTF file -> FBX, or FBX -> poses.

    blender -b --python fbx_blender.py -- JOB     or     python fbx_blender.py -- JOB

JOB is JSON: glb, fbx (files), fps (the glTF file's is this one, rounded), frames, unit (metres in one of the FBX
file's), up ("y" or "z"). Or fbx and npz, a file to write: names, parents, fps, and the joints' matrices in the world,
rest (J, 4, 4) and posed (T, J, 4, 4).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import bpy
import numpy as np


def read(job: dict[str, Any]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    bpy.ops.import_scene.fbx(filepath=job["fbx"])
    rigs = [o for o in scene.objects if o.type == "ARMATURE" and o.animation_data and o.animation_data.action]
    if not rigs:
        sys.exit("it has no skeleton with an animation")
    rig, bones = rigs[0], rigs[0].data.bones
    first, last = rig.animation_data.action.frame_range
    step = scene.render.fps_base  # the importer puts seconds on frames of the whole rate
    posed = []
    for i in range(round((last - first) / step) + 1):
        scene.frame_set(int((first + i * step) // 1), subframe=(first + i * step) % 1)
        posed.append([rig.matrix_world @ rig.pose.bones[bone.name].matrix for bone in bones])
    with open(job["npz"], "wb") as file:
        np.savez(
            file,
            names=[bone.name for bone in bones],
            parents=[bones.find(bone.parent.name) if bone.parent else -1 for bone in bones],
            fps=scene.render.fps / scene.render.fps_base,
            rest=np.array([rig.matrix_world @ bone.matrix_local for bone in bones]),
            posed=np.array(posed),
        )


def write(job: dict[str, Any]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = max(round(job["fps"]), 1)
    scene.unit_settings.scale_length = job["unit"]
    bpy.ops.import_scene.gltf(filepath=job["glb"])
    (body,) = (o for o in scene.objects if o.find_armature())
    for shape in [o for o in scene.objects if o not in (body, body.find_armature())]:
        bpy.data.objects.remove(shape)  # what the importer shows bones by
    action = body.find_armature().animation_data.action
    scene.frame_start = round(action.frame_range[0])
    scene.render.fps_base = scene.render.fps / job["fps"]
    scene.frame_end = scene.frame_start + job["frames"] - 1
    bpy.ops.export_scene.fbx(
        filepath=job["fbx"],
        object_types={"ARMATURE", "MESH"},
        apply_scale_options="FBX_SCALE_UNITS",
        axis_forward="-Z" if job["up"] == "y" else "Y",
        axis_up=job["up"].upper(),
        add_leaf_bones=False,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0,
    )


if __name__ == "__main__":
    job = json.loads(sys.argv[sys.argv.index("--") + 1])
    (read if "npz" in job else write)(job)
    sys.stdout.flush()
    if "blender" not in os.path.basename(sys.executable).lower():
        os._exit(0)  # bpy as a module may crash while it is torn down
