"""The mannequin of `kmm.body` as a mesh in Blender, bound to an armature."""

from __future__ import annotations

import bpy
import numpy as np
from kmm import body as shapes
from kmm import rotations as rot
from kmm.skeleton import JOINT_NAMES, UPRIGHT

from . import armature


def create(obj: bpy.types.Object) -> bpy.types.Object:
    """A mannequin bound to an armature made by `armature.add_bones`; not yet in any collection."""
    shape = shapes.mannequin()
    mesh = bpy.data.meshes.new("KMM Mannequin")
    vertices = rot.apply(np.array(UPRIGHT), shape.vertices) + shape.standing_height * armature.UP
    mesh.from_pydata(vertices.tolist(), [], [list(polygon) for polygon in shape.polygons])
    for material in shape.materials:
        mesh.materials.append(_material(material.name, material.colour))
    mesh.polygons.foreach_set("material_index", shape.polygon_materials.astype(np.int32))
    mesh.shade_smooth()
    body = bpy.data.objects.new("KMM Mannequin", mesh)
    for joint, name in enumerate(JOINT_NAMES):
        group = body.vertex_groups.new(name=name)
        group.add(np.flatnonzero(shape.weights[:, joint]).tolist(), 1.0, "REPLACE")
    modifier = body.modifiers.new("Armature", "ARMATURE")
    modifier.object = obj
    body.parent = obj
    return body


def _material(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    """The material of that name; whoever changed its colours keeps them."""
    material = bpy.data.materials.get(name)
    if material is None:
        material = bpy.data.materials.new(name)
        material.diffuse_color = (*colour, 1.0)
        material.roughness = 0.6
        if bpy.app.version < (5, 0, 0):  # since then it always does
            material.use_nodes = True
        principled = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
        principled.inputs["Base Color"].default_value = (*colour, 1.0)
        principled.inputs["Roughness"].default_value = 0.6
    return material
