"""Metrics on the joints themselves: jerk at transitions, feet that slide, bodies that sink into the floor.

joints: (T, 22, 3) world positions in metres over the floor z = 0, at `fps`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmm.contacts import REST_HEIGHT
from kmm.skeleton import JOINT_INDEX

Array = NDArray[np.floating]

TOES = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]
TRANSITION = (
    30  #: frames around a boundary that belong to the transition: one second, as FlowMDM has it on BABEL
)
CONTACT_HEIGHT = 0.05  #: metres; a toe joint lower than this touches the floor
SLIDE = 0.025 * 20  #: metres a second: 2.5 cm a frame in the 20 fps at which the metric was published


def jerk(joints: Array) -> Array:
    """(T - 3,) size of the third difference of the positions: L1 over x, y, z, largest over the joints.

    In metres a frame cubed, unscaled by the frame rate, as FlowMDM (arXiv 2402.15509, section 4 and its code) has
    it, so that figures at 30 fps compare with its BABEL tables.
    """
    third = np.diff(np.asarray(joints, float), n=3, axis=0)
    return np.asarray(np.abs(third).sum(-1).max(-1, initial=0.0))


class Transitions(NamedTuple):
    """Jerk of many transitions, FlowMDM's two figures."""

    peak: float  #: highest point of the mean curve
    area: float  #: area between the mean curve and the real data's mean jerk


def transition_jerk(curves: Array, real_mean: float) -> Transitions:
    """Peak jerk and area under the jerk of (N, L) jerk curves, one a transition, all of one length.

    real_mean: mean of `jerk` over all real motion. Area counts too smooth as well as too abrupt.
    """
    mean = np.asarray(curves, float).mean(0)
    return Transitions(float(mean.max()), float(np.abs(mean - real_mean).sum()))


def boundary_window(boundary: int, frames: int, length: int = TRANSITION) -> slice | None:
    """The `length` frames around the cut before frame `boundary`; None where the motion is too short for it."""
    start = boundary - length // 2
    return slice(start, start + length) if start >= 0 and start + length <= frames else None


class FootSkate(NamedTuple):
    """Feet that slide while on the floor; sums, so that clips can be added up."""

    contact: int  #: foot-frames in contact
    sliding: int  #: of these, moving over the floor by more than SLIDE
    slide: float  #: metres slid in contact, summed over foot-frames
    fps: float

    @property
    def ratio(self) -> float:
        """Share of contact frames that slide."""
        return self.sliding / max(1, self.contact)

    @property
    def speed(self) -> float:
        """Mean slide, metres a second in contact."""
        return self.slide * self.fps / max(1, self.contact)

    def __add__(self, other: object) -> FootSkate:
        if not isinstance(other, FootSkate):
            return NotImplemented
        return FootSkate(
            self.contact + other.contact, self.sliding + other.sliding, self.slide + other.slide, self.fps
        )


def foot_skate(joints: Array, fps: float) -> FootSkate:
    """Skating as GMD measures it (Karunratanakul et al., arXiv 2305.12577): a toe below 5 cm in two frames in a row
    is in contact, whatever its speed, and skates where it moves by more than 2.5 cm (a frame of 20 fps).

    GMD divides by all frames; here by those in contact, so that jumping does not look like standing firm.
    """
    toes = np.asarray(joints)[:, TOES]
    low = toes[..., 2] < CONTACT_HEIGHT
    contact = low[1:] & low[:-1]
    moved = np.linalg.norm(np.diff(toes[..., :2], axis=0), axis=-1)
    return FootSkate(
        int(contact.sum()), int((contact & (moved * fps > SLIDE)).sum()), float(moved[contact].sum()), fps
    )


def penetration(joints: Array) -> Array:
    """(T,) how deep the lowest joint is in the floor, metres, 0 where none is.

    As "Penetrate" of PhysDiff (arXiv 2212.02500), on joints in place of a mesh: a joint below the floor, a toe below
    the height that it has when the foot stands.
    """
    z = np.array(joints, float)[..., 2]
    z[:, TOES] -= REST_HEIGHT[1]
    return np.asarray((-z.min(-1)).clip(0.0))
