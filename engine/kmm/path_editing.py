"""A motion led along another way: body and steps are turned and stretched so that it passes given places in time.

Path editing (Gleicher, "Motion Path Editing", I3D 2001): what the body goes from frame to frame is turned about the
vertical, the body with it, and made longer or shorter, both changing smoothly. What is then still missing at the
given frames is spread over those between. Feet that stood on the floor are held where they come to stand.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from kmm import rotations as rot
from kmm.clip import Array, Clip, heading
from kmm.foot_lock import lock_feet, standing
from kmm.interpolation import through
from kmm.skeleton import REST_OFFSETS

STRETCH_SECONDS = 0.5  #: ways shorter than this tell no direction: in them the body sways more than it goes
SHORTEST = 0.1  #: metres, likewise
LONGEST_STEP = 4.0  #: times as long as made, at most; the rest is slid
ROUNDS = 6  #: of turning and stretching, each of which takes care of what the last has left


def follow(
    clip: Clip,
    frames: ArrayLike,
    places: ArrayLike,
    headings: ArrayLike | None = None,
    fixed: ArrayLike = (),
    offsets: ArrayLike = REST_OFFSETS,
) -> Clip:
    """The clip with the pelvis over `places` at `frames`, exactly; heights stay.

    frames: (k,) ascending, within the clip. places: (k, 2) of the floor, metres. headings: (k,) radians, 0 facing -Y
    and positive to the left, where the body must face; NaN where that follows from the way. fixed: frames whose poses
    must not change. offsets: (22, 3) of the body's joints. Raises ValueError if these do not fit together.
    """
    frames, places = np.asarray(frames), np.asarray(places, float)
    wanted = np.full(len(frames), np.nan) if headings is None else np.asarray(headings, float)
    if not len(frames) or places.shape != (len(frames), 2) or wanted.shape != (len(frames),):
        raise ValueError("a path needs as many places (and headings, if any) as frames, and one at least")
    if (np.diff(frames) <= 0).any() or frames[0] < 0 or frames[-1] >= len(clip):
        raise ValueError(f"the frames of a path must ascend within the {len(clip)} of the motion")

    position = np.array(clip.translation, dtype=float)
    root = np.asarray(clip.rotations[:, 0], float)
    kept = np.zeros(len(clip), bool)
    if len(fixed := np.asarray(fixed, int)):
        if np.isin(fixed, frames).any():
            raise ValueError("a path must not lead through a frame whose pose must not change")
        kept[fixed] = True
        frames, order = np.sort(both := np.concatenate([frames, fixed])), np.argsort(both)
        places = np.concatenate([places, position[fixed, :2]])[order]
        wanted = np.concatenate([wanted, heading(root[fixed])])[order]
    turn, floor = _led(position[:, :2], heading(root), frames, places, wanted, clip.fps)
    missing = places - floor[frames]
    position[:, :2] = floor + through(frames, missing, np.arange(len(clip)))
    rotations = np.array(clip.rotations, dtype=float)
    rotations[:, 0] = rot.multiply(_about_z(turn), root)
    led = replace(clip, translation=position, rotations=rotations)
    # which feet stand is told by the motion as it was made: led, they slide until they are held
    planted = standing(clip.joints(offsets), clip.contacts, clip.fps) if len(clip) > 1 else None
    return lock_feet(led, offsets, kept, planted)


def _led(
    floor: Array, yaw: Array, frames: Array, places: Array, headings: Array, fps: float
) -> tuple[Array, Array]:
    """Turns (T,) and the turned and stretched way (T, 2), which ends near the places."""
    everywhere = np.arange(float(len(floor)))
    steps = np.diff(floor, axis=0)
    held = np.flatnonzero(np.isfinite(headings))
    knots = _far_apart(frames, STRETCH_SECONDS * fps)
    ways = [(a, b) for a, b in pairwise(knots) if not np.isfinite(headings[[a, b]]).all()]
    middles: Array = np.array([(frames[a] + frames[b]) / 2 for a, b in ways])
    angles: Array = np.zeros(len(ways))
    shares: Array = np.ones(len(knots) - 1)
    stretch_at = (frames[knots[:-1]] + frames[knots[1:]]) / 2
    turn: Array = np.zeros(len(floor))
    path = floor
    for _ in range(ROUNDS):
        left = np.array([_angle(path[frames[b]] - path[frames[a]], places[b] - places[a]) for a, b in ways])
        angles = np.unwrap(angles + _filled(middles, left))
        turn = _turns(middles, angles, frames[held], headings[held] - yaw[frames[held]], everywhere)
        path = _way(floor[0], steps, turn, _shares(stretch_at, shares, everywhere))
        made = np.linalg.norm(np.diff(path[frames[knots]], axis=0), axis=-1)
        asked = np.linalg.norm(np.diff(places[knots], axis=0), axis=-1)
        shares = shares * np.where(made > SHORTEST, asked / np.maximum(made, SHORTEST), 1.0)
        shares = np.clip(shares, 0.0, LONGEST_STEP)
        path = _way(floor[0], steps, turn, _shares(stretch_at, shares, everywhere))
    return turn, path


def _far_apart(frames: Array, least: float) -> Array:
    """Which of the frames to measure ways between: the first, the last, and others at least so far apart."""
    chosen = [0]
    for i in range(1, len(frames)):
        if frames[i] - frames[chosen[-1]] >= least:
            chosen.append(i)
    if chosen[-1] != len(frames) - 1:  # the last way is the longer for it
        chosen[-1 if len(chosen) > 1 else len(chosen) :] = [len(frames) - 1]
    return np.array(chosen)


def _angle(made: Array, wanted: Array) -> float:
    """By how much the way made must be turned to the left to go where it should; NaN if one is too short to tell."""
    if min(np.linalg.norm(made), np.linalg.norm(wanted)) < SHORTEST:
        return np.nan
    cross = made[0] * wanted[1] - made[1] * wanted[0]
    return float(np.arctan2(cross, made @ wanted))


def _filled(at: Array, values: Array) -> Array:
    """NaN replaced by what is between the others; by 0 if there are none."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    return np.interp(at, at[known], values[known])


def _turns(middles: Array, angles: Array, held: Array, wanted: Array, frames: Array) -> Array:
    at, values = np.concatenate([held, middles]), np.concatenate([wanted, angles])
    if not len(at):
        return np.zeros(len(frames))
    at, first = np.unique(at, return_index=True)
    return through(at, np.unwrap(values[first]), frames)


def _shares(at: Array, shares: Array, frames: Array) -> Array:
    return through(at, shares, frames) if len(at) else np.ones(len(frames))


def _way(start: Array, steps: Array, turn: Array, share: Array) -> Array:
    """Place on the floor (T, 2) after steps (T - 1, 2) that are turned and stretched."""
    middle = (turn[1:] + turn[:-1]) / 2
    cos, sin = np.cos(middle), np.sin(middle)
    turned = np.stack([cos * steps[:, 0] - sin * steps[:, 1], sin * steps[:, 0] + cos * steps[:, 1]], axis=-1)
    gone = np.cumsum(turned * ((share[1:] + share[:-1]) / 2)[:, None], axis=0)
    return np.concatenate([start[None], start + gone])


def _about_z(angle: Array) -> Array:
    return rot.from_rotvec(angle[:, None] * np.array([0.0, 0.0, 1.0]))
