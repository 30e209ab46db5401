"""Where feet and hands must be, for a target of other proportions than the source's, and the limbs bent to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kmm import rotations as rot
from kmm.retarget.anatomy import LEFT, UP, Anatomy, Bones, smoothstep, unit
from kmm.retarget.limb_ik import reach
from kmm.retarget.posed import Posed
from kmm.retarget.rig import Rig
from kmm.retarget.roles import SIDES
from kmm.rotations import Array

#: Where a source bone's head is when the source's motion is brought to the target's size and place, (T, 3).
Seen = Callable[[int], Array]

#: Between these heights over the floor, in lengths of the leg, a leg is more and more left to point where the
#: source's does: up there it is the pose that matters, not the place.
SWING = (0.15, 0.5)

ARM, LEG = ("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot")


@dataclass(frozen=True)
class Sole:
    """A foot flat on the floor: heights of ankle and toe joint above it, how far the toe is ahead, and how far to the
    left of the body's middle its leg begins.
    """

    ankle: int
    toe: int
    ankle_height: float
    toe_height: float
    length: float
    hip: float


def sole(rig: Rig, bones: Bones, body: Anatomy, side: str, with_toe: bool) -> Sole | None:
    """None without a foot. with_toe False: the ankle stands for the toe."""
    if not bones.get(f"{side}_foot"):
        return None
    ankle = bones[f"{side}_foot"][0]
    toe = bones[f"{side}_toe"][0] if with_toe else ankle
    heights = [float(rig.reference_heads[bone] @ body.up) - body.floor for bone in (ankle, toe)]
    ahead = rig.reference_heads[toe] - rig.reference_heads[ankle]
    ahead = ahead - body.up * (ahead @ body.up)
    hip = rig.reference_heads[bones[f"{side}_thigh"][0]] - body.hip_centre
    left = float(hip @ rot.apply(body.body, LEFT))
    return Sole(ankle, toe, heights[0], heights[1], float(np.linalg.norm(ahead)), left)


class Feet:
    """Soles as high above the floor as the source's and over the same points of it, while they are near it."""

    def __init__(
        self, source: Rig, source_bones: Bones, a: Anatomy, target: Rig, target_bones: Bones, b: Anatomy
    ) -> None:
        self.bones, self.body, self.leg_length = target_bones, b, a.leg_length
        self.soles: dict[str, tuple[Sole, Sole]] = {}
        for side in SIDES:
            toes = bool(source_bones.get(f"{side}_toe") and target_bones.get(f"{side}_toe"))
            pair = sole(source, source_bones, a, side, toes), sole(target, target_bones, b, side, toes)
            if pair[0] and pair[1]:
                self.soles[side] = pair[0], pair[1]

    def plant(self, posed: Posed, seen: Seen, floor: Array, up: Array, scale: float) -> None:
        """floor: (3,) a point of it, up: (3,) in the target's armature space."""
        rest = posed.rig.reference_heads
        for side, (theirs, ours) in self.soles.items():
            ankle, toe = seen(theirs.ankle) - floor, seen(theirs.toe) - floor
            posed_toe = posed.moved(ours.ankle, rest[ours.toe] - rest[ours.ankle])
            # the height at which the lower one of heel and toes is as high above the floor as the source's
            clear = np.minimum(ankle @ up - scale * theirs.ankle_height, toe @ up - scale * theirs.toe_height)
            height = clear + np.maximum(ours.ankle_height, ours.toe_height - posed_toe @ up)
            # The toes stand where the source's do, but that a flat foot has its ankle where the source's would be,
            # and wider hips stand wider. These shifts go by the foot's own axes, so a planted foot stays where it
            # is; and by its sideways axis, which stays level when heel or toes are lifted.
            sideways = rot.apply(rot.multiply(posed.change(ours.ankle), self.body.frames[ours.ankle]), LEFT)
            ahead = unit(np.cross(sideways, up))
            place = toe + ahead * (ours.length - scale * theirs.length) - posed_toe
            place = place + np.cross(up, ahead) * (ours.hip - scale * theirs.hip)
            place = place - up * (place @ up)[:, None]
            wanted = floor + place + up * height[:, None]
            low, high = (share * scale * self.leg_length for share in SWING)
            swing = smoothstep((clear - low) / (high - low))[:, None]
            wanted = wanted + swing * (posed.head(ours.ankle) - wanted)
            bend(posed, self.bones, self.body, side, LEG, wanted)


class Hands:
    """Hands as the source's seen from between the shoulders, in lengths of the reach from there."""

    def __init__(
        self, source: Rig, source_bones: Bones, a: Anatomy, target: Rig, target_bones: Bones, b: Anatomy
    ) -> None:
        self.theirs, self.bones, self.body = source_bones, target_bones, b
        whole = [all(m.get(f"{s}_{p}") for s in SIDES for p in ARM) for m in (source_bones, target_bones)]
        self.ratio = span(target, target_bones) / span(source, source_bones) if all(whole) else None

    def place(self, posed: Posed, seen: Seen, scale: float) -> None:
        """scale: of what is `seen`."""
        if self.ratio is None:
            return
        ours = [posed.head(self.bones[f"{side}_upper_arm"][0]) for side in SIDES]
        theirs = [seen(self.theirs[f"{side}_upper_arm"][0]) for side in SIDES]
        for side in SIDES:
            hand = seen(self.theirs[f"{side}_hand"][0]) - np.mean(theirs, axis=0)
            wanted = np.mean(ours, axis=0) + hand * (self.ratio / scale)
            bend(posed, self.bones, self.body, side, ARM, wanted)


def span(rig: Rig, bones: Bones) -> float:
    """From between the shoulders along a stretched arm to the wrist."""
    at = {s: [rig.reference_heads[bones[f"{s}_{p}"][0]] for p in ARM] for s in SIDES}
    lengths = [np.linalg.norm(np.diff(at[s], axis=0), axis=-1).sum() for s in SIDES]
    return float(np.mean(lengths) + np.linalg.norm(at["left"][0] - at["right"][0]) / 2)


def bend(
    posed: Posed, bones: Bones, body: Anatomy, side: str, limb: tuple[str, str, str], wanted: Array
) -> None:
    """Turn the two halves of a limb so that its end is at `wanted` (T, 3); the end keeps its orientation."""
    upper, lower, end = (bones.get(f"{side}_{part}", ()) for part in limb)
    if not {*upper, *lower} <= set(posed.rotations):
        return
    axis = LEFT if limb is LEG else -UP if side == "left" else UP
    hinge = rot.apply(rot.multiply(posed.change(upper[-1]), body.frames[upper[-1]]), axis)
    turns = reach(posed.head(upper[0]), posed.head(lower[0]), posed.head(end[0]), wanted, hinge)
    for chain, turn in zip((upper, lower), turns, strict=True):
        for bone in chain:
            posed.rotations[bone] = rot.multiply(turn, posed.rotations[bone])
