"""Motions changed in part: path and turns, where steps lead, the course of time, bent knees, other arms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import Clip, forward_kinematics, heading, sample
from kmm.data.signals import smooth
from kmm.foot_lock import KNEE_HINGE, LEGS, shift_foot
from kmm.retarget.limb_ik import bend
from kmm.skeleton import JOINT_INDEX

ARM = ("collar", "shoulder", "elbow", "wrist")
FADE = 8  # frames in which arms go over into the other motion
SWUNG, UPPER = 0.25, 0.35  # seconds until an arm waves in full, and how much of that its upper part does
STEADY = 0.5  # seconds: the heading that steps are led by has no sway of single steps
HEEL = 0.04  # metres that the ankle of a foot that stands may come up, as its heel does
#: Seconds of the motion that a held pose goes to and fro, how long that takes, and over what it comes to rest.
SWAY, SWAY_SECONDS, SETTLE = 0.08, 3.0, 0.06

Array = NDArray[np.floating]


def bend_path(clip: Clip, degrees: float, start: int, stop: int) -> Clip:
    """The way along the floor turned to the left by `degrees` between two frames, body and all.

    The turn starts and ends smoothly. Feet slide by about the turn in a step times half a step's length, which is
    little for gentle turns (path editing: Gleicher, "Motion Path Editing", I3D 2001).
    """
    at = np.clip((np.arange(len(clip)) - start) / max(1, stop - 1 - start), 0.0, 1.0)
    return _turned(clip, np.radians(degrees) * at * at * (3 - 2 * at))


def scale_turn(clip: Clip, share: float) -> Clip:
    """The clip turning by `share` of what it turns: 0.5 half as far, in the same time."""
    yaw = np.unwrap(heading(clip.rotations[:, 0].astype(float)))
    return _turned(clip, (share - 1) * smooth(yaw - yaw[0], 0.1 * clip.fps))


def _turned(clip: Clip, yaw: Array) -> Clip:
    """Body and steps turned by (T,) radians to the left."""
    turns = rot.from_rotvec(yaw[:, None] * np.array([0.0, 0.0, 1.0]))
    steps = rot.apply(turns[1:], np.diff(clip.translation, axis=0))
    path = np.concatenate([clip.translation[:1], clip.translation[:1] + np.cumsum(steps, axis=0)])
    path[:, 2] = clip.translation[:, 2]
    rotations = clip.rotations.copy()
    rotations[:, 0] = rot.multiply(turns, rotations[:, 0])
    return replace(clip, translation=path, rotations=rotations)


def backwards(clip: Clip) -> Clip:
    """The clip from its end to its start: who got down gets up, who ran ahead runs backward."""
    contacts = None if clip.contacts is None else clip.contacts[::-1]
    return replace(
        clip,
        translation=clip.translation[::-1],
        rotations=clip.rotations[::-1],
        contacts=contacts,
        segments=(),
    )


def linger(clip: Clip, before: float, after: float) -> Clip:
    """The clip with its first and its last pose held for so many seconds; they sway a little, as people do."""
    most = (len(clip) - 1) // 2
    lead, tail = (_held(round(seconds * clip.fps), clip.fps, most) for seconds in (before, after))
    return _played(clip, np.concatenate([lead[::-1], np.arange(1, len(clip) - 1), len(clip) - 1 - tail]))


def linger_at(clip: Clip, frame: int, frames: int) -> Clip:
    """The clip with its pose at `frame` held for so many frames more."""
    back = frame - _held(frames, clip.fps, frame)
    return _played(clip, np.concatenate([np.arange(frame), back, np.arange(frame + 1, len(clip))]))


def _played(clip: Clip, at: Array) -> Clip:
    """The clip at these frames of its own, coming to rest and going on smoothly."""
    translation, rotations, contacts = sample(clip, smooth(at, SETTLE * clip.fps))
    return replace(clip, translation=translation, rotations=rotations, contacts=contacts, segments=())


def _held(frames: int, fps: float, most: int) -> Array:
    """(frames + 1,) how far to go back into the clip, in frames, while a pose is held: 0 first, then to and fro."""
    at = np.arange(frames + 1) / fps
    return np.asarray(min(SWAY * fps, most) * 0.5 * (1 - np.cos(2 * np.pi * at / SWAY_SECONDS)))


def lead_steps(clip: Clip, degrees: float, share: float, lift: float = 1.0) -> Clip:
    """A straight walk or run whose steps lead `degrees` to the left of where the body faces, `share` as long.

    0 degrees and 0.0 make it walk on the spot. lift: how many times as high the feet come up. What the feet and the
    body go ahead, against each other, is turned and shortened alike, so that feet that stood still stand still; the
    legs follow by two-bone inverse kinematics.
    """
    joints, world = forward_kinematics(clip.translation.astype(float), clip.rotations.astype(float))
    yaw = smooth(np.unwrap(heading(clip.rotations[:, 0].astype(float))), STEADY * clip.fps)
    ahead = np.stack([np.sin(yaw), -np.cos(yaw)], axis=-1)
    left = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    angle = np.radians(degrees)
    #: what a metre ahead becomes, less itself
    change = (share * np.cos(angle) - 1) * ahead + share * np.sin(angle) * left

    steps = np.diff(joints[:, 0, :2], axis=0)
    gone = (steps * ahead[1:]).sum(-1, keepdims=True) * change[1:]
    feet = joints[:, [leg.ankle for leg in LEGS], :2] - joints[:, :1, :2]
    apart = (feet * ahead[:, None]).sum(-1)
    apart = apart - apart.mean()
    rotations = clip.rotations.copy()
    for side, leg in enumerate(LEGS):
        shift = np.pad(apart[:, side, None] * change, ((0, 0), (0, 1)))
        ankle = joints[:, leg.ankle, 2]
        shift[:, 2] = (lift - 1) * np.maximum(ankle - ankle.min() - HEEL, 0.0)
        turned = shift_foot(leg, joints, world, shift, np.zeros(len(clip)))
        rotations[:, leg.chain[1:]] = turned
    translation = clip.translation.copy()
    translation[1:, :2] += np.cumsum(gone, axis=0)
    return replace(clip, translation=translation, rotations=rotations)


def bend_knees(clip: Clip, down: Array, depth: float, lean: float) -> Clip:
    """A standing body that gets down on its feet, which stay where they are: a squat.

    down: (T,) how far down, 0 standing and 1 lowest. depth: metres by which the pelvis is lowered then, and goes back
    by a quarter of that. lean: degrees by which the trunk leans ahead then, half of it made up for by the neck.
    """
    down = np.asarray(down, float)
    joints, world = forward_kinematics(clip.translation.astype(float), clip.rotations.astype(float))
    yaw = heading(clip.rotations[:, 0].astype(float))
    back = -np.stack([np.sin(yaw), -np.cos(yaw), np.zeros(len(clip))], axis=-1)
    translation = clip.translation + depth * down[:, None] * (0.25 * back - np.array([0.0, 0.0, 1.0]))
    left = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(len(clip))], axis=-1)
    ahead = np.radians(lean) * down[:, None]
    rotations = clip.rotations.astype(float)
    rotations[:, 0] = rot.multiply(rot.from_rotvec(ahead * left), rotations[:, 0])
    up = rot.from_rotvec(-0.5 * ahead * np.array([1.0, 0.0, 0.0]))
    rotations[:, JOINT_INDEX["neck"]] = rot.multiply(up, rotations[:, JOINT_INDEX["neck"]])
    lowered, moved = forward_kinematics(translation, rotations)
    for leg in LEGS:
        ankle = leg.chain[-1]
        rotations[:, leg.chain[1:]] = bend(
            leg.chain, lowered, moved, joints[:, ankle], KNEE_HINGE, world[:, ankle]
        )
    return replace(clip, translation=translation, rotations=rotations)


def with_arms(clip: Clip, arms: Clip, side: str, start: int) -> Clip:
    """The clip with the left, the right or "both" arms of `arms` from frame `start` on, faded in and out."""
    frames = slice(start, start + len(arms))
    if frames.stop > len(clip):
        raise ValueError(f"{len(arms)} frames of arms do not fit into {len(clip)} frames from {start} on")
    joints = [JOINT_INDEX[f"{s}_{j}"] for s in ("left", "right") if side in (s, "both") for j in ARM]
    share = _fade(len(arms))
    rotations = clip.rotations.copy()
    own = rotations[frames][:, joints]
    rotations[start : frames.stop, joints] = rot.slerp(own, arms.rotations[:, joints], share[:, None])
    return replace(clip, rotations=rotations)


def with_arms_throughout(clip: Clip, arms: Clip) -> Clip:
    """The clip with both arms of `arms` in every frame; these are played to and fro for as long as it takes."""
    there_and_back = max(1, 2 * (len(arms) - 1))
    at = np.arange(len(clip)) % there_and_back
    frames = np.minimum(at, there_and_back - at)
    joints = [JOINT_INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ARM]
    rotations = clip.rotations.copy()
    rotations[:, joints] = arms.rotations[frames][:, joints]
    return replace(clip, rotations=rotations)


def waving(clip: Clip, side: str, start: int, stop: int, degrees: float, hertz: float) -> Clip:
    """The clip with its left, its right or "both" arms swung to and fro between two frames, as raised arms wave.

    The forearm swings about the body's front axis by `degrees` to either side, the upper arm by a part of that.
    """
    _, world = forward_kinematics(clip.translation.astype(float), clip.rotations.astype(float))
    yaw = heading(clip.rotations[:, 0].astype(float))
    ahead = np.stack([np.sin(yaw), -np.cos(yaw), np.zeros(len(clip))], axis=-1)
    at = np.arange(len(clip)) - start
    share = np.clip(np.minimum(at, stop - 1 - start - at) / (SWUNG * clip.fps), 0.0, 1.0)
    swing = np.radians(degrees) * share * np.sin(2 * np.pi * hertz * at / clip.fps)
    rotations = clip.rotations.copy()
    for name, sign in (("left", 1.0), ("right", -1.0)):
        if side not in (name, "both"):
            continue
        collar, shoulder, elbow = (JOINT_INDEX[f"{name}_{joint}"] for joint in ARM[:3])
        upper = rot.multiply(rot.from_rotvec(sign * UPPER * swing[:, None] * ahead), world[:, shoulder])
        fore = rot.multiply(rot.from_rotvec(sign * swing[:, None] * ahead), world[:, elbow])
        rotations[:, shoulder] = rot.multiply(rot.inv(world[:, collar]), upper)
        rotations[:, elbow] = rot.multiply(rot.inv(upper), fore)
    return replace(clip, rotations=rotations)


def _fade(count: int) -> NDArray[np.floating]:
    """(count,) from 0 up to 1 and back to 0, smoothly."""
    at = np.arange(count)
    s = np.clip(np.minimum(at, count - 1 - at) / FADE, 0.0, 1.0)
    return np.asarray(s * s * (3 - 2 * s))
