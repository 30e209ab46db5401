"""The body that a motion is put onto where somebody looks at it: joint offsets and a skin bound to them.

`mannequin()` is ours, rounded solids each bound to one joint, so that there is somebody to look at; left joints are
blue and right ones orange, which tells the legs apart when they cross. `kmm.smpl` makes one of a user's SMPL file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import Array, Clip, forward_kinematics
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, MIRROR, PARENTS, REST_OFFSETS, STANDING_HEIGHT

SIDES = 16  #: vertices around a solid
RINGS = 11  #: rings along it

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    name: str
    colour: Point  #: linear RGB 0..1


@dataclass(frozen=True)
class Body:
    """Joints and skin at rest: SMPL's T-pose, Y up, facing +Z, pelvis at the origin, metres.

    offsets (22, 3): each joint's position relative to its parent. vertices (V, 3). polygons: vertex indices,
    counter-clockwise seen from outside. polygon_materials (P,): index into materials. weights (V, 22): how much each
    joint moves a vertex; rows sum to 1. standing_height: of the pelvis when the body stands on the floor at rest.
    """

    offsets: Array
    vertices: Array
    polygons: tuple[tuple[int, ...], ...]
    polygon_materials: NDArray[np.integer]
    materials: tuple[Material, ...]
    weights: Array
    standing_height: float

    @property
    def joints(self) -> Array:
        """(22, 3) positions at rest."""
        positions = np.zeros((len(PARENTS), 3))
        for joint, parent in list(enumerate(PARENTS))[1:]:
            positions[joint] = positions[parent] + self.offsets[joint]
        return positions

    def triangles(self, material: int) -> NDArray[np.integer]:
        """(F, 3) vertex indices of the polygons of one material."""
        fans = [
            (polygon[0], polygon[i], polygon[i + 1])
            for polygon, own in zip(self.polygons, self.polygon_materials, strict=True)
            if own == material
            for i in range(1, len(polygon) - 1)
        ]
        return np.array(fans, dtype=np.int64).reshape(-1, 3)

    def normals(self) -> Array:
        """(V, 3) unit normals of a smooth skin: the mean of the faces around, by their area."""
        total = np.zeros_like(self.vertices)
        for material in range(len(self.materials)):
            faces = self.triangles(material)
            a, b, c = (self.vertices[faces[:, i]] for i in range(3))
            for corner in range(3):
                np.add.at(total, faces[:, corner], np.cross(b - a, c - a))
        lengths = np.linalg.norm(total, axis=-1, keepdims=True)
        return np.where(lengths > 1e-12, total / np.maximum(lengths, 1e-12), np.array([0.0, 1.0, 0.0]))

    def influences(self, count: int = 4) -> tuple[NDArray[np.integer], Array]:
        """(V, count) joints that move each vertex most and (V, count) their weights, which sum to 1."""
        joints = np.argsort(-self.weights, axis=1, kind="stable")[:, :count]
        weights = np.take_along_axis(self.weights, joints, axis=1)
        return np.where(weights > 0, joints, 0), weights / weights.sum(1, keepdims=True)

    def skin(self, clip: Clip) -> Array:
        """(T, V, 3) world positions of the vertices by linear blend skinning, metres."""
        at, turn = forward_kinematics(clip.translation, clip.rotations, self.offsets)
        out = np.zeros((len(clip), *self.vertices.shape))
        for joint, rest in enumerate(self.joints):
            mine = np.flatnonzero(self.weights[:, joint] > 0)
            moved = at[:, joint, None] + rot.apply(turn[:, joint, None], self.vertices[mine] - rest)
            out[:, mine] += self.weights[mine, joint, None] * moved
        return out


@cache
def mannequin() -> Body:
    """Our own body, with the rest offsets of `kmm.skeleton`."""
    parts = [*CENTRE, *ONE_SIDE, *map(_mirror, ONE_SIDE)]
    faces, size = _faces(), RINGS * SIDES
    weights = np.zeros((len(parts) * size, len(JOINT_NAMES)))
    for i, part in enumerate(parts):
        weights[i * size : (i + 1) * size, JOINT_INDEX[part.joint]] = 1.0
    body = Body(
        offsets=REST_OFFSETS,
        vertices=np.zeros((len(parts) * size, 3)),
        polygons=tuple(tuple(v + i * size for v in face) for i in range(len(parts)) for face in faces),
        polygon_materials=np.repeat([part.material for part in parts], len(faces)),
        materials=MATERIALS,
        weights=weights,
        standing_height=STANDING_HEIGHT,
    )
    return replace(body, vertices=np.concatenate([_solid(part, body.joints) for part in parts]))


MATERIALS = (
    Material("KMM Body", (0.62, 0.58, 0.52)),
    Material("KMM Joint", (0.10, 0.10, 0.11)),
    Material("KMM Joint Left", (0.05, 0.22, 0.55)),
    Material("KMM Joint Right", (0.70, 0.20, 0.04)),
)
BODY, JOINT, LEFT, RIGHT = range(4)


@dataclass(frozen=True)
class Part:
    """A rounded tube from `start` to `end`, relative to a joint at rest, metres."""

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


def _solid(part: Part, joints: Array) -> Array:
    """(RINGS * SIDES, 3) vertices at rest."""
    start, end = (joints[JOINT_INDEX[part.joint]] + np.array(p, dtype=float) for p in (part.start, part.end))
    along = (end - start) / np.linalg.norm(end - start)
    # depth is measured to the front, and of what points there, upwards
    front = np.array([0.0, 0.0, 1.0] if abs(along[2]) < 0.7 else [0.0, 1.0, 0.0])
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
    return np.asarray(solid.reshape(-1, 3))


def _faces() -> list[list[int]]:
    """Quads between the rings of one solid, and a cap at either end; outward normals."""
    faces = [list(range(SIDES))]
    for ring in range(RINGS - 1):
        for side in range(SIDES):
            a, b = ring * SIDES + side, ring * SIDES + (side + 1) % SIDES
            faces.append([a, a + SIDES, b + SIDES, b])
    faces.append(list(range(RINGS * SIDES - 1, (RINGS - 1) * SIDES - 1, -1)))
    return faces
