"""Where a body's limbs point and bend, read from its rest pose by geometry alone.

Every mapped bone gets an anatomical frame: a rotation from the canonical axes (X the body's left, Y its back, Z
up) that turns the canonical limb into the limb as it rests. A canonical arm points sideways, its elbow bends to the
front, its palm faces down; a canonical leg points down, its knee bends to the back; feet point to the front. Two
bodies are in the same pose when the frames of their limbs agree, whatever their rest poses and bone axes are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kmm import rotations as rot
from kmm.retarget.rig import Rig
from kmm.retarget.roles import FINGERS, SIDES
from kmm.rotations import Array

LEFT, FRONT, UP = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0])

#: A rest pose's up axis within this many degrees of an axis of the armature is taken to be that axis.
SNAP = 20.0

#: Degrees between which a bent elbow or knee at rest is more and more believed to show its hinge. Below, joint
#: positions are too uncertain: SMPL's own elbows bend 7 degrees upwards at rest, though they hinge to the front.
CLEAR_BEND = (15.0, 40.0)

#: Heights of SMPL's toe joint and ankle over the sole, in lengths of thigh and shin.
TOE_HEIGHT, ANKLE_HEIGHT = 0.0245, 0.098

Bones = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Anatomy:
    """A rig's body at rest, in armature space and units.

    body (4,): rotation from the canonical axes. frames: bone -> anatomical frame (4,). hip_centre (3,): between the
    hip joints. leg_length: hip joint to the sole, along the leg. floor: height of the soles along up.
    """

    body: Array
    frames: dict[int, Array]
    hip_centre: Array
    leg_length: float
    floor: float

    @property
    def up(self) -> Array:
        return rot.apply(self.body, UP)

    @property
    def front(self) -> Array:
        return rot.apply(self.body, FRONT)


def read(rig: Rig, bones: Bones) -> Anatomy:
    """bones: role -> indices of its bones, the body's end first; it has the roles in `roles.REQUIRED`."""
    heads = rig.reference_heads
    body = body_axes(heads, bones)
    frames: dict[int, Array] = {}
    for role in ("root", "centre", "hips", "spine", "neck", "head", "left_shoulder", "right_shoulder"):
        for bone in bones.get(role, ()):
            frames[bone] = body
    for side in SIDES:
        _leg(frames, heads, bones, side, body)
        _arm(frames, heads, bones, side, body)
    thighs = heads[[bones[f"{side}_thigh"][0] for side in SIDES]]
    up = rot.apply(body, UP)
    length, floor = _leg_length(heads, bones, up)
    return Anatomy(body, frames, thighs.mean(0), length, floor)


def body_axes(heads: Array, bones: Bones) -> Array:
    """Rotation (4,) from the canonical axes to the body's: left from its pairs, up from feet to head."""

    def middle(*roles: str) -> Array | None:
        found = [heads[bones[role][0]] for role in roles if bones.get(role)]
        return np.mean(found, axis=0) if len(found) == len(roles) else None

    pairs = [
        heads[bones[f"left_{part}"][0]] - heads[bones[f"right_{part}"][0]]
        for part in ("thigh", "upper_arm", "shoulder")
        if bones.get(f"left_{part}") and bones.get(f"right_{part}")
    ]
    tops = (("left_upper_arm", "right_upper_arm"), ("neck",), ("head",), ("spine",))
    bottoms = (("left_foot", "right_foot"), ("left_shin", "right_shin"))
    top = next((m for roles in tops if (m := middle(*roles)) is not None), None)
    bottom = next(m for roles in bottoms if (m := middle(*roles)) is not None)
    hips = middle("left_thigh", "right_thigh")
    assert hips is not None
    # the whole body leans less than its legs or its back may do at rest
    up = unit(hips - bottom) if top is None else unit(top - bottom) + unit(top - hips)
    up = _snapped(up, SNAP)
    left = sum((unit(pair) for pair in pairs), np.zeros(3))
    left = left - up * (left @ up)
    if np.linalg.norm(up) < 0.5 or np.linalg.norm(left) < 1e-3:
        raise ValueError(
            "the rest pose does not show which way is up and left: the mapped legs, or the left and right "
            "bones, lie on one another"
        )
    left = _snapped(left, SNAP / 2)
    left = unit(left - up * (left @ up))
    return rot.from_matrix(np.stack([left, np.cross(up, left), up], axis=-1))


def _leg(frames: dict[int, Array], heads: Array, bones: Bones, side: str, body: Array) -> None:
    thigh, shin = bones[f"{side}_thigh"], bones[f"{side}_shin"]
    foot, toe = bones.get(f"{side}_foot", ()), bones.get(f"{side}_toe", ())
    upper = unit(heads[shin[0]] - heads[thigh[0]])
    lower = unit(heads[foot[0]] - heads[shin[0]]) if foot else upper
    upper_frame, lower_frame = _hinge(body, -UP, -FRONT, upper, lower)
    _give(frames, upper_frame, thigh, bones.get(f"{side}_thigh_twist", ()))
    _give(frames, lower_frame, shin, bones.get(f"{side}_shin_twist", ()))
    # The sole lies flat at rest however high the ankle is, so only the foot's heading is read from the bones.
    frame = body
    if foot and toe:
        ahead = heads[toe[0]] - heads[foot[0]]
        up = rot.apply(body, UP)
        level = ahead - up * (ahead @ up)
        if np.linalg.norm(level) > 0.25 * np.linalg.norm(ahead):
            frame = rot.multiply(_about(up, rot.apply(body, FRONT), level), body)
    _give(frames, frame, foot, toe)


def _arm(frames: dict[int, Array], heads: Array, bones: Bones, side: str, body: Array) -> None:
    upper_arm, forearm = bones.get(f"{side}_upper_arm", ()), bones.get(f"{side}_forearm", ())
    hand = bones.get(f"{side}_hand", ())
    if not upper_arm:
        return
    out = LEFT if side == "left" else -LEFT
    upper = unit(heads[forearm[0]] - heads[upper_arm[0]]) if forearm else rot.apply(body, out)
    lower = unit(heads[hand[0]] - heads[forearm[0]]) if hand and forearm else upper
    upper_frame, lower_frame = _hinge(body, out, FRONT, upper, lower)
    _give(frames, upper_frame, upper_arm, bones.get(f"{side}_upper_arm_twist", ()))
    _give(frames, lower_frame, forearm, bones.get(f"{side}_forearm_twist", ()))
    if hand:
        direction, frame = _hand(heads, bones, side, lower, lower_frame)
        _give(frames, frame, hand)
        _fingers(frames, heads, bones, side, direction, frame)


def _hinge(body: Array, limb: Array, bend: Array, upper: Array, lower: Array) -> tuple[Array, Array]:
    """Frames of a limb's two halves, which point along `upper` and `lower`.

    limb, bend: where the canonical limb points and its second half bends to.
    """
    frame = rot.multiply(rot.shortest_arc(rot.apply(body, limb), upper), body)
    angle = np.degrees(np.arccos(np.clip(upper @ lower, -1, 1)))
    clear = smoothstep((angle - CLEAR_BEND[0]) / (CLEAR_BEND[1] - CLEAR_BEND[0]))
    if clear > 0:
        turn = _about(upper, rot.apply(frame, bend), lower - upper * (upper @ lower))
        frame = rot.multiply(rot.from_rotvec(rot.as_rotvec(turn) * clear), frame)
    return frame, rot.multiply(rot.shortest_arc(upper, lower), frame)


def _hand(heads: Array, bones: Bones, side: str, forearm: Array, forearm_frame: Array) -> tuple[Array, Array]:
    """Direction (3,) and frame (4,) of the hand: the knuckles show them, else it goes on as the forearm."""
    wrist = heads[bones[f"{side}_hand"][0]]
    knuckles = [heads[b[0]] for f in FINGERS[1:] if (b := bones.get(f"{side}_{f}"))]
    if not knuckles:
        return forearm, forearm_frame
    direction = unit(np.mean(knuckles, axis=0) - wrist)
    frame = rot.multiply(rot.shortest_arc(forearm, direction), forearm_frame)
    if len(knuckles) > 1:
        across = (
            knuckles[0] - knuckles[-1]
        )  # from the little finger to the index: the front of a palm facing down
        across = across - direction * (across @ direction)
        frame = rot.multiply(_about(direction, rot.apply(frame, FRONT), across), frame)
    return direction, frame


def _fingers(
    frames: dict[int, Array], heads: Array, bones: Bones, side: str, hand: Array, hand_frame: Array
) -> None:
    for finger in FINGERS:
        chain = bones.get(f"{side}_{finger}", ())
        direction = hand
        for i, bone in enumerate(chain):
            if i + 1 < len(chain):  # the last one goes on as the one before: where it ends is not known
                direction = unit(heads[chain[i + 1]] - heads[bone])
            frames[bone] = rot.multiply(rot.shortest_arc(hand, direction), hand_frame)


def _leg_length(heads: Array, bones: Bones, up: Array) -> tuple[float, float]:
    """Length of thigh and shin plus the ankle's height, and the height of the floor."""
    lengths, ankles, soles = [], [], []
    for side in SIDES:
        joints = [
            heads[bones[f"{side}_{p}"][0]] for p in ("thigh", "shin", "foot") if bones.get(f"{side}_{p}")
        ]
        if len(joints) == 2:  # no foot: a shin as long as the thigh
            joints.append(2 * joints[1] - joints[0])
        lengths.append(sum(float(np.linalg.norm(b - a)) for a, b in pairwise(joints)))
        ankles.append(float(joints[2] @ up))
        toe = bones.get(f"{side}_toe")
        tip = float(heads[toe[0]] @ up) if toe else np.inf
        low = (
            tip < ankles[-1] - 0.04 * lengths[-1]
        )  # a toe bone at the height of the ankle is not near the sole
        soles.append(tip - TOE_HEIGHT * lengths[-1] if low else ankles[-1] - ANKLE_HEIGHT * lengths[-1])
    length, ankle, sole = np.mean(lengths), np.mean(ankles), min(soles)
    # most rigs stand at height zero; those made around their hips, and some others, do not
    floor = 0.0 if abs(sole) < 0.1 * length else sole
    return float(length + ankle - floor), float(floor)


def _give(frames: dict[int, Array], frame: Array, *chains: Sequence[int]) -> None:
    for chain in chains:
        for bone in chain:
            frames[bone] = frame


def _about(axis: Array, start: Array, end: Array) -> Array:
    """Rotation about the unit vector `axis` that turns `start` to where `end` is seen along the axis."""
    angle = np.arctan2(np.cross(start, end) @ axis, start @ end - (start @ axis) * (end @ axis))
    return rot.from_rotvec(axis * angle)


def _snapped(v: Array, degrees: float) -> Array:
    """v as a unit vector, or the coordinate axis within so many degrees of it."""
    v = unit(v)
    axis = np.zeros(3)
    i = int(np.argmax(np.abs(v)))
    axis[i] = np.sign(v[i])
    return axis if v @ axis > np.cos(np.radians(degrees)) else v


def unit(v: Array) -> Array:
    """(..., 3) scaled to length one; a zero vector stays zero."""
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12))


def smoothstep(x: Array | float) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(np.asarray(x), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))
