"""A plain jointed mannequin, so that there is somebody to look at: rounded solids, each bound to one bone.

Left joints are blue and right ones orange, which tells the legs apart when they cross.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy
import numpy as np
from kmm import rotations as rot
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, MIRROR, UPRIGHT
from numpy.typing import NDArray

from . import armature

Array = NDArray[np.floating]

SIDES = 16  #: vertices around
RINGS = 11  #: rings along

MATERIALS = {  # name: colour, linear RGB
    "KMM Body": (0.62, 0.58, 0.52),
    "KMM Joint": (0.10, 0.10, 0.11),
    "KMM Joint Left": (0.05, 0.22, 0.55),
    "KMM Joint Right": (0.70, 0.20, 0.04),
}
BODY, JOINT, LEFT, RIGHT = range(4)


Point = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """A rounded tube from `start` to `end`, relative to a joint in SMPL's rest frame (Y up, facing +Z), metres."""

    joint: str
    start: Point
    end: Point
    width: tuple[float, ...]  #: half widths, evenly spaced from start to end
    depth: tuple[float, ...] = ()  #: half depths likewise, where they differ
    rounding: float = 0.5  #: how much of each end is rounded off; 0.5 makes an ellipsoid
    material: int = BODY


def _ball(joint: str, radius: float, material: int) -> Part:
    return Part(joint, (0, -radius, 0), (0, radius, 0), (radius,), material=material)


def _limb(
    joint: str, start: Point, end: Point, width: tuple[float, ...], depth: tuple[float, ...] = ()
) -> Part:
    return Part(joint, start, end, width, depth, rounding=0.15)


CENTRE = (
    Part("pelvis", (0, -0.125, -0.01), (0, 0.085, -0.02),
         (0.08, 0.14, 0.15, 0.13, 0.11), (0.06, 0.10, 0.11, 0.095, 0.08), 0.3),
    Part("spine1", (0, -0.06, 0.01), (0, 0.12, 0.02), (0.105,), (0.085,), 0.5, JOINT),
    Part("spine2", (0, -0.085, 0.01), (0, 0.03, 0.0), (0.11, 0.12), (0.085, 0.095), 0.4),
    Part("spine3", (0, -0.08, 0.0), (0, 0.225, -0.025),
         (0.11, 0.15, 0.17, 0.17, 0.09), (0.085, 0.115, 0.12, 0.10, 0.06), 0.3),
    Part("neck", (0, -0.03, -0.01), (0, 0.10, 0.035), (0.05, 0.047), (), 0.2, JOINT),
    Part("head", (0, -0.045, 0.035), (0, 0.195, 0.01),
         (0.062, 0.074, 0.078, 0.078), (0.066, 0.088, 0.098, 0.095), 0.45),
    Part("head", (0, 0.09, 0.10), (0, 0.035, 0.128), (0.010, 0.016), (0.012, 0.016), 0.4),
)  # fmt: skip

ONE_SIDE = (
    _ball("left_hip", 0.068, LEFT),
    _limb("left_hip", (0.012, -0.02, 0.0), (0.043, -0.355, 0.008),
          (0.078, 0.076, 0.068, 0.055), (0.085, 0.085, 0.075, 0.058)),
    _ball("left_knee", 0.051, LEFT),
    _limb("left_knee", (-0.001, -0.03, -0.003), (-0.014, -0.40, -0.036),
          (0.048, 0.056, 0.048, 0.034), (0.050, 0.064, 0.052, 0.036)),
    _ball("left_ankle", 0.037, LEFT),
    Part("left_ankle", (0.0, -0.04, -0.055), (0.040, -0.058, 0.115),
         (0.034, 0.040, 0.043, 0.043), (0.034, 0.040, 0.031, 0.020), 0.3),
    Part("left_foot", (-0.008, 0.002, -0.014), (0.012, -0.003, 0.078),
         (0.044, 0.045, 0.036), (0.021, 0.020, 0.015), 0.4, LEFT),
    _ball("left_collar", 0.045, JOINT),
    Part("left_collar", (0.01, 0.0, 0.0), (0.115, 0.042, -0.021), (0.05, 0.05), (), 0.4),
    _ball("left_shoulder", 0.054, LEFT),
    _limb("left_shoulder", (0.02, 0.0, -0.002), (0.232, -0.015, -0.021), (0.047, 0.050, 0.045, 0.038)),
    _ball("left_elbow", 0.038, LEFT),
    _limb("left_elbow", (0.022, 0.001, 0.0), (0.248, 0.012, -0.006), (0.038, 0.041, 0.033, 0.026)),
    _ball("left_wrist", 0.026, LEFT),
    Part("left_wrist", (0.012, 0.0, 0.0), (0.185, -0.010, 0.0),
         (0.018, 0.020, 0.016, 0.012), (0.030, 0.046, 0.043, 0.032), 0.3),
    Part("left_wrist", (0.028, -0.004, 0.022), (0.095, -0.012, 0.068), (0.015, 0.013), (), 0.4),
)  # fmt: skip


def create(obj: bpy.types.Object) -> bpy.types.Object:
    """A mannequin bound to an armature made by `armature.add_bones`; not yet in any collection."""
    parts = [*CENTRE, *ONE_SIDE, *map(_mirror, ONE_SIDE)]
    heads = armature.rest_positions()
    solids = [_solid(part, heads) for part in parts]
    faces = _faces()
    per_part = RINGS * SIDES
    mesh = bpy.data.meshes.new("KMM Mannequin")
    mesh.from_pydata(
        np.concatenate(solids).tolist(),
        [],
        [[v + i * per_part for v in face] for i in range(len(parts)) for face in faces],
    )
    for name, colour in MATERIALS.items():
        mesh.materials.append(_material(name, colour))
    mesh.polygons.foreach_set(
        "material_index", np.repeat([p.material for p in parts], len(faces)).astype(np.int32)
    )
    mesh.shade_smooth()
    body = bpy.data.objects.new("KMM Mannequin", mesh)
    for name in JOINT_NAMES:
        group = body.vertex_groups.new(name=name)
        mine = [i for i, p in enumerate(parts) if p.joint == name]
        vertices = [v for i in mine for v in range(i * per_part, (i + 1) * per_part)]
        group.add(vertices, 1.0, "REPLACE")
    modifier = body.modifiers.new("Armature", "ARMATURE")
    modifier.object = obj
    body.parent = obj
    return body


def _mirror(part: Part) -> Part:
    def flip(point: Point) -> Point:
        return (-point[0], point[1], point[2])

    return replace(
        part,
        joint=JOINT_NAMES[MIRROR[JOINT_INDEX[part.joint]]],
        start=flip(part.start),
        end=flip(part.end),
        material=RIGHT if part.material == LEFT else part.material,
    )


def _solid(part: Part, heads: Array) -> Array:
    """(RINGS * SIDES, 3) vertices in armature space."""
    joint = JOINT_INDEX[part.joint]
    upright = np.array(UPRIGHT)
    start, end = (heads[joint] + rot.apply(upright, np.array(p, dtype=float)) for p in (part.start, part.end))
    along = (end - start) / np.linalg.norm(end - start)
    front = armature.z_axis(joint)
    back_and_forth = front - (front @ along) * along
    back_and_forth /= np.linalg.norm(back_and_forth)
    across = np.cross(along, back_and_forth)
    # rings crowd together at the ends, where the solid is rounded
    t = (1 - np.cos(np.linspace(0.02, np.pi - 0.02, RINGS))) / 2
    from_end = np.minimum(np.minimum(t, 1 - t) / part.rounding, 1)
    shrink = np.sqrt(1 - (1 - from_end) ** 2)
    angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    ring = np.cos(angle)[:, None] * across, np.sin(angle)[:, None] * back_and_forth
    width, depth = (
        np.interp(t, np.linspace(0, 1, len(r)), r) * shrink for r in (part.width, part.depth or part.width)
    )
    centres = start + t[:, None] * (end - start)
    solid = centres[:, None] + width[:, None, None] * ring[0] + depth[:, None, None] * ring[1]
    return solid.reshape(-1, 3)


def _faces() -> list[list[int]]:
    """Quads between the rings of one solid, and a cap at either end; outward normals."""
    faces = [list(range(SIDES))]
    for ring in range(RINGS - 1):
        for side in range(SIDES):
            a, b = ring * SIDES + side, ring * SIDES + (side + 1) % SIDES
            faces.append([a, a + SIDES, b + SIDES, b])
    faces.append(list(range(RINGS * SIDES - 1, (RINGS - 1) * SIDES - 1, -1)))
    return faces


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
