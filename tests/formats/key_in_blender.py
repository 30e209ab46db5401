"""Keys a clip with the add-on's code, in a Python with bpy: python key_in_blender.py BODY.glb CLIP.npz OUT ROOT."""

import json
import os
import sys

import bpy
import numpy as np

body, motion, out, root = sys.argv[1:5]
sys.path.append(root)

from kmm import formats  # noqa: E402
from kmm.skeleton import JOINT_NAMES  # noqa: E402

from blender_addon import action_api, armature  # noqa: E402
from blender_addon.keying import Keyer  # noqa: E402

bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
bpy.ops.import_scene.gltf(filepath=body)
(rig,) = (o for o in scene.objects if o.type == "ARMATURE")
assert armature.is_smpl(rig)
clip = formats.load(motion)
action = action_api.new_action("motion", rig.name)
action_api.assign(rig, action)
armature.use_quaternions(rig)
keyer = Keyer(action, armature.channels(), 1, len(clip))
keyer.append(armature.PoseConverter(rig.data)(clip))
keyer.write()
(skin,) = (o for o in scene.objects if o.type == "MESH" and o.find_armature() == rig)
joints, low, high = [], [], []
for frame in range(1, len(clip) + 1):
    scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    joints.append([list(rig.matrix_world @ rig.pose.bones[name].head) for name in JOINT_NAMES])
    posed = skin.evaluated_get(graph)
    points = np.array([posed.matrix_world @ v.co for v in posed.data.vertices])
    low.append(points.min(0).tolist())
    high.append(points.max(0).tolist())
with open(out, "w") as file:
    json.dump({"joints": joints, "low": low, "high": high}, file)
sys.stdout.flush()
os._exit(0)  # bpy as a module may crash while it is torn down
