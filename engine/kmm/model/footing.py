"""Feet that stand stay where they stand: what `kmm.foot_lock` does for a whole clip, for a stream.

`kmm.model.planting` has set the body's way right; what two standing feet still slide against each other, and a heel
against its toe, is taken off by the legs. A foot is held where it came to stand, and once it is lifted the shift dies
away. All of this looks back and never ahead, so frames can go out as they come and are the same in any pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import FPS, forward_kinematics
from kmm.foot_lock import LEGS, Leg, shift_foot, soft
from kmm.model import features as ft

ON, OFF = 0.5, 0.3  #: contacts from which on a foot stands, and below which it no longer does
FASTEST = 1.0  #: metres a second that a foot may slide and still be meant to stand
FADE = 0.12  #: seconds in which the shift of a lifted foot falls to a third
RISE = 0.3  #: share of what the heel is held by that changes in a frame

Array = NDArray[np.floating]


class Footing:
    """The feet of one stream; call it with one piece of features after the other."""

    def __init__(self) -> None:
        self._root = ft.RootState()
        self._feet = [_Foot(leg) for leg in LEGS]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features (T, 140) that come next, with legs (hips, knees, ankles) that hold standing feet."""
        if not len(features):
            return features
        clip, self._root = ft.decode(features, self._root)
        joints, world = forward_kinematics(clip.translation, clip.rotations)
        out = features.copy()
        for foot in self._feet:
            shift, held = foot.follow(joints, features[:, ft.CONTACTS])
            moved = np.flatnonzero(np.abs(shift).max(-1) > 1e-6)
            if len(moved):
                turned = shift_foot(foot.leg, joints[moved], world[moved], shift[moved], held[moved])
                for number, joint in enumerate(foot.leg.chain[1:]):
                    out[moved, ft.rotation(joint)] = rot.as_6d(turned[:, number]).reshape(-1, 6)
        return out


class _Foot:
    """One foot: whether heel and toe stand, and by how much it is shifted."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.stands = np.zeros(2, bool)
        self.shift = np.zeros(2)
        self.held = 0.0
        self.place: Array | None = None  # (2, 2) of ankle and toe in the frame before

    def follow(self, joints: Array, contacts: Array) -> tuple[Array, Array]:
        """(T, 2) shifts along the floor, and (T,) how much the toe is held, of frames with joints (T, 22, 3)."""
        places = joints[:, [self.leg.ankle, self.leg.toe], :2]
        shift, held = np.zeros((len(places), 2)), np.zeros(len(places))
        for i, (place, touch) in enumerate(zip(places, contacts[:, self.leg.contacts], strict=True)):
            step = place - (place if self.place is None else self.place)
            slow = np.linalg.norm(step, axis=-1) * FPS < FASTEST
            stands = np.where(self.stands, touch > OFF, touch > ON) & slow
            still = stands & self.stands
            if still.any():
                self.shift = self.shift - step[1 if still[1] else 0]
            elif not stands.any():
                self.shift = self.shift * np.exp(-1 / (FADE * FPS))
            self.held += RISE * (float(stands[1]) - self.held)
            self.stands, self.place = stands, place
            shift[i], held[i] = self.shift, self.held
        return soft(shift), held
