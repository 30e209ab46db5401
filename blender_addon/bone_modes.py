"""SMPL poses as channels of bones in the rotation modes that they have: keys of other modes do nothing in Blender.

So what an animator has keyed in Euler angles stays in force when a part of it is made anew, and new keys are such
as the bone's other ones are.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import bpy
import numpy as np
from kmm.clip import FPS, Clip
from kmm.retarget.rotation_modes import decode, encode, width
from kmm.skeleton import JOINT_NAMES

from . import armature
from .armature import Array, PoseConverter
from .keying import Channel

ROTATION = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
LOCATION = 3  #: channels before those of the rotations


def rotation_property(mode: str) -> str:
    """The property of a pose bone that holds its rotation in this mode."""
    return ROTATION.get(mode, "rotation_euler")


def at_rest(mode: str) -> list[float]:
    """The numbers of no rotation."""
    numbers: list[float] = encode(mode, np.array([[1.0, 0.0, 0.0, 0.0]]))[0].tolist()
    return numbers


def modes_of(obj: bpy.types.Object) -> dict[str, str]:
    """The rotation mode of each of the 22 bones."""
    return {name: obj.pose.bones[name].rotation_mode for name in JOINT_NAMES}


def use(obj: bpy.types.Object, modes: Mapping[str, str]) -> None:
    """Let the bones rotate in these modes."""
    for name, mode in modes.items():
        if obj.pose.bones[name].rotation_mode != mode:
            obj.pose.bones[name].rotation_mode = mode


def channels(modes: Mapping[str, str]) -> list[Channel]:
    """The channels of a pose: the pelvis' location, and each bone's rotation in its mode."""
    found = armature.channels()[:LOCATION]
    for name, mode in modes.items():
        path, rest = f'pose.bones["{name}"].{rotation_property(mode)}', at_rest(mode)
        found += [Channel(path, i, name, rest[i]) for i in range(width(mode))]
    return found


class InModes:
    """Clips to the values (T, C) of `channels(modes)` and back; continues from call to call as PoseConverter does."""

    def __init__(self, data: bpy.types.Armature, modes: Mapping[str, str]) -> None:
        """modes: of each of the 22 bones, in their order."""
        self._quaternions, self._modes = PoseConverter(data), tuple(modes.values())
        ends = np.cumsum([LOCATION, *map(width, self._modes)]).tolist()
        #: where each bone's numbers are in a row, and where as a quaternion
        self._columns = [slice(a, b) for a, b in pairwise(ends)]
        self._fours = [slice(at, at + 4) for at in range(LOCATION, LOCATION + 4 * len(self._modes), 4)]
        self._last: Array | None = None

    def __call__(self, clip: Clip) -> Array:
        """(T, C)"""
        values = self._quaternions(clip)
        columns = [values[:, :LOCATION]]
        for mode, own, four in zip(self._modes, self._columns, self._fours, strict=True):
            numbers = values[:, four]
            if mode != "QUATERNION":
                numbers = encode(mode, numbers, None if self._last is None else self._last[own])
            columns.append(numbers)
        result = np.concatenate(columns, axis=1)
        if len(result):
            self._last = result[-1]
        return result

    def follow(self, values: Array) -> None:
        """Continue from a frame with these (C,) values, whoever wrote it."""
        self._last = np.asarray(values, dtype=np.float64)
        self._quaternions.follow(self._as_quaternions(self._last[None])[0])

    def inverse(self, values: Array, fps: float = FPS) -> Clip:
        """The clip that (T, C) values show. Quaternions need not be of unit length."""
        return self._quaternions.inverse(self._as_quaternions(np.asarray(values, dtype=np.float64)), fps)

    def _as_quaternions(self, values: Array) -> Array:
        """(T, 91) of (T, C)"""
        columns = [values[:, :LOCATION]]
        for mode, own in zip(self._modes, self._columns, strict=True):
            columns.append(values[:, own] if mode == "QUATERNION" else decode(mode, values[:, own]))
        return np.concatenate(columns, axis=1)
