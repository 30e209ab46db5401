"""Two-bone inverse kinematics that changes a posed limb no more than its end asks for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kmm import rotations as rot
from kmm.retarget.anatomy import smoothstep, unit
from kmm.rotations import Array

#: Degrees of bend over which the limb's own plane of bending is more and more kept; straighter, it is the hinge's.
OWN_PLANE = (3.0, 10.0)


def reach(start: Array, joint: Array, end: Array, wanted: Array, hinge: Array) -> tuple[Array, Array]:
    """Turns (T, 4), in armature space, of a limb's two halves that bring its end to where it is wanted.

    start, joint, end, wanted: (T, 3), hip, knee, ankle and where the ankle should be. hinge: (T, 3) unit axis about
    which the second half bends. Out of reach, the limb stretches towards it; at its place already, nothing turns.
    """
    upper, lower, to = joint - start, end - joint, wanted - start
    a, b = (np.linalg.norm(v, axis=-1) for v in (upper, lower))
    u, v = unit(upper), unit(lower)
    distance = np.clip(np.linalg.norm(to, axis=-1), np.abs(a - b), a + b)
    now = np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1))
    # the law of cosines for half the angle, which is exact for limbs near straight too
    bend = 2 * np.arctan2(np.sqrt((a + b) ** 2 - distance**2), np.sqrt(distance**2 - (a - b) ** 2))
    # The plane of a nearly straight limb is noise: where it must bend more, the hinge says which way.
    low, high = np.radians(OWN_PLANE)
    keep = np.maximum(smoothstep((now - low) / (high - low)), 1 - smoothstep((bend - now) / low))[:, None]
    own, hinge = unit(np.cross(u, v)), unit(hinge - u * (hinge * u).sum(-1, keepdims=True))
    axis = unit(keep * own + (1 - keep) * hinge)
    axis = np.where(np.linalg.norm(axis, axis=-1, keepdims=True) > 0.5, axis, hinge)
    bent = rot.apply(rot.from_rotvec(axis * bend[:, None]), u)
    swing = rot.shortest_arc(upper + b[:, None] * bent, to)
    return swing, rot.multiply(swing, rot.shortest_arc(v, bent))


def bend(
    chain: Sequence[int],
    joints: Array,
    world: Array,
    wanted: Array,
    hinge: Array,
    at_end: Array | None = None,
) -> Array:
    """Local rotations (T, 3, 4) of a limb's three joints that bring its end to `wanted` (T, 3).

    chain: the limb's parent, then its joints: pelvis, hip, knee, ankle. joints (T, J, 3) and world (T, J, 4) as
    `kmm.clip.forward_kinematics` gives them. hinge: (3,) axis of the first joint about which the second bends.
    at_end: (T, 4) of the end in the world; without it the end goes along with the limb.
    """
    parent, start, joint, end = chain
    axis = rot.apply(world[:, start], np.asarray(hinge))
    upper, lower = reach(joints[:, start], joints[:, joint], joints[:, end], wanted, axis)
    at_start, at_joint = rot.multiply(upper, world[:, start]), rot.multiply(lower, world[:, joint])
    at_end = rot.multiply(lower, world[:, end]) if at_end is None else at_end
    turned = [world[:, parent], at_start, at_joint, at_end]
    return np.stack([rot.multiply(rot.inv(a), b) for a, b in pairwise(turned)], axis=1)
