"""Hands and feet that are where they are wanted at some frames, by two-bone inverse kinematics.

From where it is made to be, the limb is swung about its first joint, and bent or stretched, which comes and goes
smoothly over `BLEND_SECONDS` before and after; between two targets nearer than that it goes from one to the next.
Only the limb turns: shoulder, elbow and wrist, or hip, knee and ankle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from kmm import rotations as rot
from kmm.clip import Array, Clip, forward_kinematics
from kmm.interpolation import through
from kmm.retarget.limb_ik import bend
from kmm.skeleton import JOINT_INDEX, PARENTS, REST_OFFSETS

BLEND_SECONDS = 0.5


@dataclass(frozen=True)
class Limb:
    """Joints of a limb, and the axis of its first one about which it bends, as SMPL's does from the T-pose."""

    start: int
    joint: int
    end: int
    hinge: tuple[float, float, float]
    #: Its end keeps its direction in the world, as a foot does on the floor; else that to the limb.
    level: bool


def _limb(side: str, parts: tuple[str, str, str], hinge: tuple[float, float, float], level: bool) -> Limb:
    start, joint, end = (JOINT_INDEX[f"{side}_{part}"] for part in parts)
    return Limb(start, joint, end, hinge, level)


#: What can be led, by the name of its last joint.
LIMBS = {
    f"{side}_{parts[-1]}": _limb(side, parts, hinge, level)
    for side, way in (("left", -1.0), ("right", 1.0))
    for parts, hinge, level in (
        (("shoulder", "elbow", "wrist"), (0.0, way, 0.0), False),
        (("hip", "knee", "ankle"), (1.0, 0.0, 0.0), True),
    )
}


def lead(
    clip: Clip,
    joint: str,
    frames: ArrayLike,
    positions: ArrayLike,
    rotations: ArrayLike | None = None,
    fixed: ArrayLike = (),
    offsets: ArrayLike = REST_OFFSETS,
) -> Clip:
    """The clip with a wrist or an ankle at `positions` at `frames`, as near as the limb reaches.

    joint: one of `LIMBS`. frames: (k,) ascending, within the clip. positions: (k, 3) in the world, metres. rotations:
    (k, 4) of the joint in the world, or None to leave them as they come. fixed: frames whose poses must not change.
    offsets: (22, 3) of the body's joints. Raises ValueError if these do not fit together.
    """
    if joint not in LIMBS:
        raise ValueError(f"{joint!r} cannot be led to a place; those that can: {', '.join(LIMBS)}")
    frames, positions, fixed = (np.asarray(a) for a in (frames, positions, fixed))
    turned = None if rotations is None else rot.normalize(np.asarray(rotations, float))
    if not len(frames) or positions.shape != (len(frames), 3):
        raise ValueError("targets need as many positions as frames, and one at least")
    if turned is not None and turned.shape != (len(frames), 4):
        raise ValueError("targets need as many rotations as frames, or none")
    if (np.diff(frames) <= 0).any() or frames[0] < 0 or frames[-1] >= len(clip):
        raise ValueError(f"the frames of targets must ascend within the {len(clip)} of the motion")
    if np.isin(frames, fixed).any():
        raise ValueError(f"the pose of frame {frames[np.isin(frames, fixed)][0]} must not change")

    limb, blend = LIMBS[joint], BLEND_SECONDS * clip.fps
    joints, world = forward_kinematics(
        np.asarray(clip.translation, float), np.asarray(clip.rotations, float), offsets
    )
    made, wanted = joints[:, limb.end] - joints[:, limb.start], positions - joints[frames, limb.start]
    change = _come_and_go(frames, _swing(made[frames], wanted), fixed, blend, len(clip))
    to = joints[:, limb.start] + np.exp(change[:, 3:]) * rot.apply(rot.from_rotvec(change[:, :3]), made)
    chain = (PARENTS[limb.start], limb.start, limb.joint, limb.end)
    local = bend(chain, joints, world, to, np.array(limb.hinge), world[:, limb.end] if limb.level else None)
    if turned is not None:
        at_end = _end(limb, world, local)
        turns = rot.as_rotvec(rot.multiply(turned, rot.inv(at_end[frames])))
        more = rot.from_rotvec(_come_and_go(frames, turns, fixed, blend, len(clip)))
        before = rot.multiply(at_end, rot.inv(local[:, 2]))
        local[:, 2] = rot.multiply(rot.inv(before), rot.multiply(more, at_end))
        change = np.concatenate([change, rot.as_rotvec(more)], axis=-1)
    moved = np.flatnonzero(np.abs(change).max(-1) > 1e-12)
    out = np.array(clip.rotations)
    out[moved[:, None], [limb.start, limb.joint, limb.end]] = local[moved]
    return replace(clip, rotations=out)


def _come_and_go(frames: Array, values: Array, fixed: Array, blend: float, count: int) -> Array:
    """(count, d) that is `values` (k, d) at `frames`, 0 at fixed ones and where no target is near."""
    none = [float(frames[0] - blend), float(frames[-1] + blend), *map(float, fixed)]
    for a, b in pairwise(frames):
        if b - a >= 2 * blend:
            none += [a + blend, b - blend]
    at = np.concatenate([frames, none])
    at, first = np.unique(at, return_index=True)
    known = np.concatenate([values, np.zeros((len(none), values.shape[1]))])
    return through(at, known[first], np.arange(count))


def _swing(made: Array, wanted: Array) -> Array:
    """(k, 4) the rotation vector from one (k, 3) to the other, and the logarithm of how many times as long it is."""
    turn = rot.as_rotvec(rot.shortest_arc(made, wanted))
    length, to = (np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6) for v in (made, wanted))
    return np.concatenate([turn, np.log(to / length)], axis=-1)


def _end(limb: Limb, world: Array, local: Array) -> Array:
    """World rotations (T, 4) of the limb's end under local rotations (T, 3, 4) of its joints."""
    out = world[:, PARENTS[limb.start]]
    for i in range(3):
        out = rot.multiply(out, local[:, i])
    return out
