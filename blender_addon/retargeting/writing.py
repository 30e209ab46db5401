"""Retargeted motion as keys on any armature: direct writing of F-curves, in each bone's own rotation mode."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm.clip import Clip
from kmm.retarget import BoneMap, Keys, Options, Retargeter, Rig, smpl
from kmm.retarget.bone_map import named
from kmm.retarget.rotation_modes import encode, width
from numpy.typing import NDArray

from .. import action_api
from ..bone_modes import at_rest, rotation_property
from ..keying import Channel, Keyer
from . import rigs
from .reading import bone_path

Array = NDArray[np.floating]

CONSTANT = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["CONSTANT"].value


class Target:
    """An armature that gets the motion of a source, whole or in chunks that go on from each other.

    `channels` are what is keyed: the mapped bones' rotations, and the locations of those that are moved.
    """

    def __init__(
        self,
        obj: bpy.types.Object,
        source: Rig,
        source_map: BoneMap,
        bone_map: BoneMap | None = None,
        options: Options | None = None,
    ) -> None:
        """Raises ValueError."""
        check_can_be_keyed(obj)
        rig = rigs.read(obj)
        self.bone_map = bone_map or rigs.bone_map(obj, rig)
        self.retargeter = Retargeter(source, source_map, rig, self.bone_map, options)
        self.source_bones = self.retargeter.source_bones
        self._last: Keys | None = None
        self._last_values: dict[str, Array] = {}
        nothing = len(self.source_bones)
        keys = self.retargeter(np.zeros((0, nothing, 4)), np.zeros((0, nothing, 3)))
        self._modes = {name: obj.pose.bones[name].rotation_mode for name in keys.bones}
        self.channels = _channels(keys, self._modes)
        for name in keys.located:
            if rigs.connected(obj, name):
                raise ValueError(
                    _(
                        '"{}" of {} is connected to its parent, so Blender cannot move it; '
                        "disconnect it, or map the bone above it as centre"
                    ).format(name, obj.name)
                )
        self._switches = _switches(obj, self.bone_map)

    def __call__(self, rotations: Array, heads: Array) -> Array:
        """(T, channels) of the next T frames of poses of `source_bones`."""
        keys = self.retargeter(rotations, heads, self._last)
        columns = [keys.locations.reshape(len(keys), -1)]
        for i, (name, mode) in enumerate(self._modes.items()):
            values = encode(mode, keys.rotations[:, i], self._last_values.get(name))
            columns.append(values)
            if len(values):
                self._last_values[name] = values[-1]
        if len(keys):
            self._last = Keys(keys.bones, keys.rotations[-1:], keys.located, keys.locations[-1:])
        return np.concatenate(columns, axis=1)

    def follow(self, values: Array) -> None:
        """Go on from a frame with these (channels,) values, whoever wrote it."""
        self._last, at = None, len(values) - sum(map(width, self._modes.values()))
        for name, mode in self._modes.items():
            self._last_values[name] = np.asarray(values[at : at + width(mode)], dtype=float)
            at += width(mode)

    def begin(self, action: bpy.types.Action, first_frame: int, slot: str = "") -> None:
        """Key what makes a control rig follow the keyed controls, once, in an action made by `action_api`."""
        collection = action_api.curves(action, slot)
        for data_path, group, value in self._switches:
            if collection.find(data_path) is not None:
                continue  # a part of the motion is made anew
            curve = action_api.new_curve(collection, data_path, 0, group)
            curve.keyframe_points.add(1)
            curve.keyframe_points[0].co = (first_frame, value)
            curve.keyframe_points.foreach_set("interpolation", [CONSTANT])
            curve.update()


class FromClips(Target):
    """A target that is given kmm's clips, as they come from the engine."""

    def __init__(
        self, obj: bpy.types.Object, bone_map: BoneMap | None = None, options: Options | None = None
    ) -> None:
        """Raises ValueError."""
        super().__init__(obj, smpl.rig(), named("smpl"), bone_map, options)

    def __call__(self, clip: Clip) -> Array:  # type: ignore[override]
        """(T, channels) of the next T frames."""
        return super().__call__(*smpl.pose(clip, self.source_bones))


def write(
    obj: bpy.types.Object, target: Target, values: Array, first_frame: int, name: str
) -> bpy.types.Action:
    """A new action with the values as keys, on the armature; what that had until now stays in the file."""
    action = action_api.new_action(name, obj.name)
    keyer = Keyer(action, target.channels, first_frame, len(values))
    keyer.append(values)
    keyer.write()
    target.begin(action, first_frame)
    action_api.assign(obj, action)
    return action


def check_can_be_keyed(obj: bpy.types.Object) -> None:
    """ValueError says why not."""
    if obj.type != "ARMATURE":
        raise ValueError(_("{} is not an armature").format(obj.name))
    if obj.library is not None:
        raise ValueError(
            _("{} is linked from another file; make a library override of it first").format(obj.name)
        )
    if tweaked := action_api.tweaked(obj):
        raise ValueError(tweaked)


def _channels(keys: Keys, modes: dict[str, str]) -> list[Channel]:
    found = [Channel(bone_path(name, "location"), i, name, 0.0) for name in keys.located for i in range(3)]
    for name, mode in modes.items():
        path, rest = bone_path(name, rotation_property(mode)), at_rest(mode)
        found += [Channel(path, i, name, rest[i]) for i in range(width(mode))]
    return found


def _switches(obj: bpy.types.Object, bone_map: BoneMap) -> list[tuple[str, str, float]]:
    """Data path, group and value of the custom properties that the map sets, of those that the rig has."""
    found = []
    for name, values in bone_map.properties.items():
        bone = obj.pose.bones.get(name)
        for key, value in values.items():
            if bone is not None and key in bone:
                path = f'{bone_path(name, "")[:-1]}["{bpy.utils.escape_identifier(key)}"]'
                found.append((path, name, float(value)))
    return found
