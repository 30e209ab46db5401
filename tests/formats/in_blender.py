"""For a Python with bpy: python in_blender.py FILE OUT FPS FRAMES JOINTS METRES. Imports it, writes what is there.

Blender's glTF and FBX importers put seconds on frames of the scene's whole rate, so each frame of the file is looked
at where it must be then, between frames if need be.
"""

import json
import os
import sys

import bpy
import numpy as np

path, out, fps, frames = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
joints_wanted, metres = sys.argv[5].split(","), float(sys.argv[6])  # metres: in a unit of the file

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = max(round(fps), 1), 1.0
kind = path.rsplit(".", 1)[1].lower()
ratio = scene.render.fps / fps
if kind == "bvh":
    bpy.ops.import_anim.bvh(filepath=path, use_fps_scale=True, global_scale=metres)
elif kind in ("glb", "gltf"):
    bpy.ops.import_scene.gltf(filepath=path)
elif kind == "fbx":
    bpy.ops.import_scene.fbx(filepath=path)
else:
    convert = "apply_unit_conversion_scale" in bpy.ops.wm.usd_import.get_rna_type().properties
    extra = {"apply_unit_conversion_scale": True} if convert else {}
    bpy.ops.wm.usd_import(filepath=path, **extra)
    ratio = 1.0  # this one sets the scene's rate
    if not convert:  # Blender 4.2 has the number of the stage's units, not their length
        for obj in [o for o in scene.objects if o.parent is None]:
            obj.scale *= metres

(rig,) = (o for o in scene.objects if o.type == "ARMATURE")
skins = [o for o in scene.objects if o.type == "MESH" and o.find_armature() == rig]
action = rig.animation_data.action
first = action.frame_range[0]
joints, low, high = [], [], []
for i in range(frames):
    at = first + i * ratio
    scene.frame_set(int(at // 1), subframe=at % 1)
    graph = bpy.context.evaluated_depsgraph_get()
    posed = rig.evaluated_get(graph)
    joints.append([list(posed.matrix_world @ posed.pose.bones[name].head) for name in joints_wanted])
    if skins:
        skin = skins[0].evaluated_get(graph)
        points = np.empty((len(skin.data.vertices), 3), np.float32)
        skin.data.vertices.foreach_get("co", points.ravel())
        world = np.array(skin.matrix_world)
        points = points @ world[:3, :3].T + world[:3, 3]
        low.append(points.min(0).tolist())
        high.append(points.max(0).tolist())
with open(out, "w") as file:
    json.dump(
        {
            "version": bpy.app.version_string,
            "joints": joints,
            "low": low or None,
            "high": high or None,
            "frames": list(action.frame_range),
            "vertices": len(skins[0].data.vertices) if skins else 0,
            "materials": len(skins[0].data.materials) if skins else 0,
        },
        file,
    )
sys.stdout.flush()
os._exit(0)  # bpy as a module may crash while it is torn down
