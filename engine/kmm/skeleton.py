"""The SMPL body skeleton: 22 joints, their parents, rest offsets and left/right pairs.

The rest frame is SMPL's: T-pose, Y up, facing +Z, the body's left at +X, metres. The pelvis rests at the origin,
so a clip's translation is the pelvis' world position. The offsets are our own: proportions averaged over motion
capture subjects, symmetric, not taken from an SMPL model file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip

JOINT_INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}

PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)


def _levels() -> list[tuple[list[int], list[int]]]:
    depth = [0]
    for parent in PARENTS[1:]:
        depth.append(depth[parent] + 1)
    levels = [[j for j, d in enumerate(depth) if d == level] for level in range(1, max(depth) + 1)]
    return [(joints, [PARENTS[j] for j in joints]) for joints in levels]


#: From the pelvis outwards, the joints that hang as many joints away from it, and their parents: what can be computed
#: in one go.
LEVELS: list[tuple[list[int], list[int]]] = _levels()

#: (22, 3) each joint's position relative to its parent in the rest pose, metres.
REST_OFFSETS: NDArray[np.float64] = np.array(
    [
        [0.0, 0.0, 0.0],
        [0.059, -0.082, -0.018],
        [-0.059, -0.082, -0.018],
        [0.0, 0.124, -0.038],
        [0.043, -0.386, 0.008],
        [-0.043, -0.386, 0.008],
        [0.0, 0.138, 0.027],
        [-0.015, -0.427, -0.037],
        [0.015, -0.427, -0.037],
        [0.0, 0.056, 0.003],
        [0.041, -0.060, 0.122],
        [-0.041, -0.060, 0.122],
        [0.0, 0.212, -0.034],
        [0.072, 0.114, -0.019],
        [-0.072, 0.114, -0.019],
        [0.0, 0.089, 0.050],
        [0.123, 0.045, -0.023],
        [-0.123, 0.045, -0.023],
        [0.255, -0.016, -0.023],
        [-0.255, -0.016, -0.023],
        [0.266, 0.013, -0.007],
        [-0.266, 0.013, -0.007],
    ]
)
REST_OFFSETS.setflags(write=False)

#: (22,) for each joint, the index of its counterpart on the other side (itself on the midline).
MIRROR: tuple[int, ...] = tuple(
    JOINT_INDEX[
        name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")
    ]
    for name in JOINT_NAMES
)

#: The four joints whose contact with the floor a clip records, in this order.
CONTACT_JOINTS: tuple[int, ...] = tuple(
    JOINT_INDEX[n] for n in ("left_ankle", "left_foot", "right_ankle", "right_foot")
)

#: Pelvis height of the rest pose standing on the floor z = 0 (the toe joint is about 0.02 m above it), metres.
STANDING_HEIGHT: float = 0.975

#: World rotation (w, x, y, z) of the pelvis for an upright body facing -Y: SMPL's Y-up frame turned to Z up.
UPRIGHT: tuple[float, float, float, float] = (0.5**0.5, 0.5**0.5, 0.0, 0.0)


def children(joint: int) -> list[int]:
    """Indices of the joints whose parent is `joint`."""
    return [i for i, p in enumerate(PARENTS) if p == joint]
