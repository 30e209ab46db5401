"""The part of `kmm.formats.fbx` that runs inside Blender: one skinned and animated glTF file -> FBX.

    blender -b --python fbx_blender.py -- JOB     or     python fbx_blender.py -- JOB

JOB is JSON: glb, fbx (files), fps (the glTF file's is this one, rounded), frames, unit (metres in one of the FBX
file's), up ("y" or "z").
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import bpy


def main(job: dict[str, Any]) -> None:
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
    main(json.loads(sys.argv[sys.argv.index("--") + 1]))
    sys.stdout.flush()
    if "blender" not in os.path.basename(sys.executable).lower():
        os._exit(0)  # bpy as a module may crash while it is torn down
