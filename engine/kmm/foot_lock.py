"""Feet that stay where they stand: while a foot is in contact with the floor, it no longer slides along it.

What a foot slides while it stands is taken off its place on the floor: off the toe's while the toe touches, else off
the ankle's, so heels may lift and feet roll. Each stand is held about where it was on average, which moves a foot
least. Before and after it the shift dies away with its speed matched (as in `kmm.editing`), so nothing pops. The leg
follows by two-bone inverse kinematics: only hips, knees and ankles turn; pelvis, arms and head are not touched. A leg
that would have to be longer than it is stretches softly, and the heel lifts for what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmm import rotations as rot
from kmm.clip import Array, Clip, forward_kinematics
from kmm.contacts import SPEED_OFF, foot_contacts
from kmm.editing import fade
from kmm.retarget.anatomy import smoothstep
from kmm.retarget.limb_ik import bend
from kmm.skeleton import CONTACT_JOINTS, JOINT_INDEX, REST_OFFSETS

SHORT_SECONDS = 0.1  #: gaps in a contact, and contacts, shorter than this are none
BLEND_SECONDS = 0.3  #: in which the shift of a foot comes before it stands, and goes after it
LIFT_SECONDS = (
    0.15  #: in which the heel begins to be lifted for the toe's sake before it stands, and ends after it
)
LONGEST = 0.1  #: metres by which a foot is shifted at most: one that slides farther was not meant to stand
STRETCH = 0.999  #: of its length, to which a leg is straightened at most
KNEE_HINGE = np.array([1.0, 0.0, 0.0])  #: SMPL's knees bend about the body's left
LIFTS = 4  #: times that the heel is lifted for what the leg is short of

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Leg:
    """Joints of one leg, and where its two contacts are in a clip's."""

    hip: int
    knee: int
    ankle: int
    toe: int
    contacts: slice

    @property
    def chain(self) -> tuple[int, int, int, int]:
        """Pelvis, hip, knee, ankle."""
        return 0, self.hip, self.knee, self.ankle


def _leg(side: str, contacts: slice) -> Leg:
    hip, knee, ankle, toe = (JOINT_INDEX[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "foot"))
    return Leg(hip, knee, ankle, toe, contacts)


LEGS = (_leg("left", slice(0, 2)), _leg("right", slice(2, 4)))


def lock_feet(
    clip: Clip,
    offsets: ArrayLike = REST_OFFSETS,
    fixed: Flags | None = None,
    planted: Flags | None = None,
) -> Clip:
    """The clip with feet that do not slide while they stand, by its contacts or, where it has none, by its joints.

    offsets: (22, 3) of the body's joints. fixed: (T,) frames whose poses must not change; the shift of a foot dies
    away towards them. planted: (T, 4) what `standing` says, where that is known better. Frames in which no foot is
    shifted stay as they are, to the bit.
    """
    if len(clip) < 2:
        return clip
    joints, world = forward_kinematics(
        np.asarray(clip.translation, float), np.asarray(clip.rotations, float), offsets
    )
    planted = standing(joints, clip.contacts, clip.fps) if planted is None else planted
    blend, lift = (max(2, round(seconds * clip.fps)) for seconds in (BLEND_SECONDS, LIFT_SECONDS))
    free = 1.0 if fixed is None else 1 - _presence(fixed, blend)[:, None]
    rotations = clip.rotations.copy()
    for leg in LEGS:
        touching = planted[:, leg.contacts]
        shift = free * foot_shift(joints[:, [leg.ankle, leg.toe], :2], touching, blend)
        moved = np.flatnonzero(np.abs(shift).max(-1) > 1e-9)
        if len(moved):
            held = _presence(touching[:, 1], lift)
            turned = shift_foot(leg, joints[moved], world[moved], shift[moved], held[moved])
            rotations[moved[:, None], [leg.hip, leg.knee, leg.ankle]] = turned
    return replace(clip, rotations=rotations)


def standing(joints: Array, contacts: Array | None, fps: float) -> Flags:
    """(T, 4) which of ankles and toes, in the order of a clip's contacts, stand on the floor in earnest.

    joints: (T, 22, 3), T > 1. contacts: (T, 4) probabilities, or None to tell from the joints. Without those that
    move too fast to be standing, without short gaps, and then without short contacts.
    """
    given = foot_contacts(joints, fps) if contacts is None else contacts
    steps = np.linalg.norm(np.diff(joints[:, list(CONTACT_JOINTS), :2], axis=0), axis=-1)
    # of the steps before and after, the slower: a foot that has just landed stands
    speed = np.minimum(np.concatenate([steps[:1], steps]), np.concatenate([steps, steps[-1:]])) * fps
    flags: Flags = np.asarray((np.asarray(given) > 0.5) & (speed < SPEED_OFF))
    for i in range(flags.shape[1]):
        column: Flags = flags[:, i]
        for start, stop in stretches(~column):
            if start > 0 and stop < len(column) and stop - start < SHORT_SECONDS * fps:
                column[start:stop] = True
        for start, stop in stretches(column):
            if stop - start < SHORT_SECONDS * fps:
                column[start:stop] = False
    return flags


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """[start, stop) of each stretch of frames that is set."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def foot_shift(places: Array, touching: Flags, blend: int) -> Array:
    """(T, 2) by how much to shift a foot along the floor.

    places: (T, 2, 2) of ankle and toe; touching: (T, 2) whether each touches the floor. blend: frames in which the
    shift comes before a stand and goes after it.
    """
    steps = np.diff(places, axis=0)
    both = touching[1:] & touching[:-1]
    # the ankle counts only where the toe does not touch: a heel that lifts moves, and stands on its toe
    step = np.where((both[:, 0] & ~both[:, 1])[:, None], steps[:, 0], steps[:, 1])
    shift = np.zeros((len(places), 2))
    stands = stretches(touching[:, 0] | touching[:, 1])
    for start, stop in stands:
        slid = np.concatenate([np.zeros((1, 2)), np.cumsum(step[start : stop - 1], axis=0)])
        shift[start:stop] = soft(slid.mean(0) - slid)
    return shift + _between(shift, stands, blend)


def soft(shift: Array) -> Array:
    """Lengths that never exceed `LONGEST`, and are kept where they are well below."""
    length = np.linalg.norm(shift, axis=-1, keepdims=True) / LONGEST
    return np.asarray(shift / (1 + length**4) ** 0.25)


def _between(shift: Array, stands: list[tuple[int, int]], blend: int) -> Array:
    """(T, 2) where no foot stands: what is left of the shift of the stand before, and has come of the next one's."""
    added = np.zeros_like(shift)
    limits = [0, *(edge for stand in stands for edge in stand), len(shift)]
    for start, stop in zip(limits[::2], limits[1::2], strict=True):
        span = min(blend, stop - start + 1)
        since = np.minimum(np.arange(1, stop - start + 1) / span, 1.0)
        if start > 0:
            last, before = shift[start - 1], shift[max(start - 2, 0)]
            added[start:stop] += fade(since, last, (last - before) * span)
        if stop < len(shift):
            first, after = shift[stop], shift[min(stop + 1, len(shift) - 1)]
            added[start:stop] += fade(since[::-1], first, (first - after) * span)
    return added


def _presence(flags: Flags, blend: int) -> Array:
    """(T,) 1 in frames that are set, rising before and falling after them."""
    at, frames = np.arange(len(flags)), np.flatnonzero(flags)
    if not len(frames):
        return np.zeros(len(flags))
    i = np.searchsorted(frames, at)
    near = np.abs(at - frames[np.minimum(i, len(frames) - 1)]), np.abs(at - frames[np.maximum(i - 1, 0)])
    return smoothstep(1 - np.minimum(*near) / blend)


def shift_foot(leg: Leg, joints: Array, world: Array, shift: Array, held: Array) -> Array:
    """Local rotations (n, 3, 4) of hip, knee and ankle that shift the foot by (n, 2) along the floor, or (n, 3).

    joints, world: (n, 22, 3) and (n, 22, 4) as `kmm.clip.forward_kinematics` gives them. held: (n,) how much the toe
    must be where it is wanted, at the cost of the foot's pitch.
    """
    hip, knee, ankle, toe = (joints[:, j] for j in (leg.hip, leg.knee, leg.ankle, leg.toe))
    to = toe + np.pad(shift, ((0, 0), (0, 3 - shift.shape[1])))
    foot, turn = toe - ankle, np.broadcast_to(rot.IDENTITY, (len(shift), 4))
    for _ in range(LIFTS):
        wanted = _within_reach(hip, knee, ankle, to - rot.apply(turn, foot))
        more = rot.shortest_arc(rot.apply(turn, foot), to - wanted)
        turn = rot.multiply(rot.from_rotvec(rot.as_rotvec(more) * held[:, None]), turn)
    at_ankle = rot.multiply(turn, world[:, leg.ankle])
    return bend(leg.chain, joints, world, wanted, KNEE_HINGE, at_ankle)


def _within_reach(hip: Array, knee: Array, ankle: Array, wanted: Array) -> Array:
    """Where the ankle can be: as wanted, but the straighter the leg is, the less it is stretched further."""
    length = np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
    now, to = np.linalg.norm(ankle - hip, axis=-1), wanted - hip
    distance = np.linalg.norm(to, axis=-1)
    room = np.maximum(STRETCH * length - now, 1e-6)
    stretched = now + room * (1 - np.exp(-np.maximum(distance - now, 0.0) / room))
    reached = np.where(distance > now, stretched, distance)
    return np.asarray(hip + to * (reached / np.maximum(distance, 1e-9))[:, None])
