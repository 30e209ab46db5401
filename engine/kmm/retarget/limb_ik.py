"""Two-bone inverse kinematics that changes a posed limb no more than its end asks for."""

from __future__ import annotations

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
