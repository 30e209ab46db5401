"""Joining, looping and holding clips in place.

A seam between two motions is smoothed by inertialization (Bollo, "Inertialization: High-Performance Animation
Transitions in Gears of War", GDC 2018): the difference in pose and velocity at the seam is carried as an
offset that dies away over some frames, so one side of the seam is never altered and no frame is lost.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np

from kmm import rotations as rot
from kmm.clip import Array, Clip, Segment, heading

BLEND_FRAMES = 10  #: a third of a second at 30 fps: shorter looks like a jerk, longer slides the feet


def concatenate(*clips: Clip, blend: int = BLEND_FRAMES) -> Clip:
    """One motion of exactly the sum of the clips' frames, at the first clip's rate.

    Each clip is turned and moved along the floor to where the one before would be a frame later. Its first
    `blend` frames are bent so that pose and velocity go on too; all frames before stay as they are. A clip at
    another rate is resampled first. Contacts are kept if every clip has them, segments always.
    """
    if not clips:
        raise ValueError("concatenate needs at least one clip")
    if blend < 0:
        raise ValueError(f"blend must be 0 or more frames, got {blend}")
    return reduce(lambda a, b: _append(a, b.resample(a.fps), blend), clips)


def in_place(clip: Clip) -> Clip:
    """The pelvis held above its first position; height and rotations are kept."""
    translation = clip.translation.copy()
    translation[:, :2] = translation[:1, :2]
    return replace(clip, translation=translation)


def loop(clip: Clip, blend: int = BLEND_FRAMES) -> Clip:
    """The same number of frames, bent so that the first frame follows the last without a jerk.

    Pose, heading, height and velocity meet; the travel along the floor stays, so a walk goes on by the same
    step every time round (add `in_place` for one that stays). The last `blend` frames are bent. A change of
    heading from start to end is turned back evenly over the whole clip, to the nearest full turn.
    """
    if blend < 1:
        raise ValueError(f"blend must be 1 or more frames, got {blend}")
    n = min(blend, len(clip) - 1)
    if n < 1:
        return clip
    clip = _straighten(clip)
    position, rotations = _next_frame(clip)
    # the next time round: the same clip, moved along the floor to where this one has come
    again = clip.transform(0.0, [*(position - clip.translation[0])[:2], 0.0])
    offset, turn = _gap(again.translation[0], again.rotations[0], position, rotations)
    (velocity, spin), (wanted, wanted_spin) = _velocity(clip, -1), _velocity(clip, 0)
    drift, rate = wanted - velocity, _rate(turn, spin, wanted_spin)
    span = n + 1  # frames from the last one left alone to the seam
    back = np.arange(n, 0, -1) / span
    return _bent(
        clip,
        slice(len(clip) - n, len(clip)),
        floor=drift[:2] * span * ((1 - back[:, None]) ** 3) / 3,
        height=fade(back, offset[2], -drift[2] * span),
        turns=fade(back, turn, -rate * span),
    )


def _append(a: Clip, b: Clip, blend: int) -> Clip:
    if not len(a) or not len(b):
        return b if not len(a) else a
    position, rotations = _next_frame(a)
    b = b.transform(float(heading(rotations[0]) - heading(b.rotations[0, 0])))
    b = b.transform(0.0, [*(position - b.translation[0])[:2], 0.0])
    n = min(blend, len(b))
    if n:
        offset, turn = _gap(position, rotations, b.translation[0], b.rotations[0])
        (wanted, wanted_spin), (velocity, spin) = _velocity(a, -1), _velocity(b, 0)
        drift, rate = wanted - velocity, _rate(turn, spin, wanted_spin)
        since = np.arange(len(b))
        s = np.minimum(since / n, 1.0)
        b = _bent(
            b,
            slice(0, len(b)),
            # along the floor the surplus velocity dies away and where it has led to is kept: no sliding back
            floor=drift[:2] * n * (1 - (1 - s[:, None]) ** 3) / 3,
            height=fade(s, offset[2], drift[2] * n),
            turns=fade(s, turn, rate * n),
        )
    return Clip(
        np.concatenate([a.translation, b.translation]),
        np.concatenate([a.rotations, b.rotations]),
        a.fps,
        None if a.contacts is None or b.contacts is None else np.concatenate([a.contacts, b.contacts]),
        a.segments + tuple(Segment(s.prompt, s.start + len(a), s.end + len(a)) for s in b.segments),
    )


def _velocity(clip: Clip, at: int) -> tuple[Array, Array]:
    """Pelvis velocity (3,) and joint turns (22, 3) in the parent's frame, at the start (0) or end (-1)."""
    if len(clip) < 2:
        return np.zeros(3), np.zeros((clip.rotations.shape[1], 3))
    i, j = (0, 1) if at == 0 else (-2, -1)
    spin = rot.as_rotvec(rot.multiply(clip.rotations[j], rot.inv(clip.rotations[i])))
    return clip.translation[j] - clip.translation[i], spin


def _next_frame(clip: Clip) -> tuple[Array, Array]:
    """Where the clip would be a frame after its last one, at its last velocity."""
    velocity, spin = _velocity(clip, -1)
    return clip.translation[-1] + velocity, rot.multiply(rot.from_rotvec(spin), clip.rotations[-1])


def _gap(position: Array, rotations: Array, to_position: Array, to_rotations: Array) -> tuple[Array, Array]:
    """What must be added, (3,), and turned on the left, (22, 3), to get from the second pose to the first."""
    return position - to_position, rot.as_rotvec(rot.multiply(rotations, rot.inv(to_rotations)))


def _rate(turn: Array, spin: Array, wanted: Array) -> Array:
    """The rate (22, 3) at which rotation vectors `turn` must change so that what they turn spins as wanted.

    From w = J(turn) rate + exp(turn) spin, where J is the left Jacobian, inverted here to second order.
    """
    surplus = wanted - rot.apply(rot.from_rotvec(turn), spin)
    crossed = np.cross(turn, surplus)
    return np.asarray(surplus - crossed / 2 + np.cross(turn, crossed) / 12)


def fade(s: Array, value: Array, slope: Array) -> Array:
    """Rows of the quintic with the given value and slope at s = 0, neither at s = 1, straight at both."""
    value, slope = np.asarray(value), np.asarray(slope)
    s = s.reshape(-1, *(1,) * value.ndim)
    of_value = 1 - s**3 * (10 - 15 * s + 6 * s**2)
    of_slope = s - s**3 * (6 - 8 * s + 3 * s**2)
    return np.asarray(of_value * value + of_slope * slope)


def _bent(clip: Clip, frames: slice, floor: Array, height: Array, turns: Array) -> Clip:
    """The clip with offsets in some frames: floor (n, 2), height (n,), turns (n, 22, 3) on the left."""
    translation, rotations = clip.translation.copy(), clip.rotations.copy()
    translation[frames] += np.concatenate([floor, height[:, None]], axis=-1).astype(translation.dtype)
    rotations[frames] = rot.multiply(rot.from_rotvec(turns), rotations[frames])
    return replace(clip, translation=translation, rotations=rotations)


def _straighten(clip: Clip) -> Clip:
    """The change of heading over the clip turned back evenly, path included, to the nearest full turn."""
    change = heading(_next_frame(clip)[1][0]) - heading(clip.rotations[0, 0])
    change = (change + np.pi) % (2 * np.pi) - np.pi
    yaw = -change * np.arange(len(clip)) / len(clip)
    turns = rot.from_rotvec(yaw[:, None] * np.array([0.0, 0.0, 1.0]))
    steps = rot.apply(turns[:-1], np.diff(clip.translation, axis=0))
    rotations = clip.rotations.copy()
    rotations[:, 0] = rot.multiply(turns, rotations[:, 0])
    return replace(
        clip,
        translation=np.concatenate([clip.translation[:1], clip.translation[:1] + np.cumsum(steps, axis=0)]),
        rotations=rotations,
    )
