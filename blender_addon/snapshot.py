"""How a scene and a character were before a generation, to have them back."""

from __future__ import annotations

import bpy

from . import action_api

POSE = ("location", "rotation_mode", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


class Snapshot:
    """Holds ids and numbers, no references: those do not outlive an undo."""

    def __init__(self, scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
        self._scene_uid, self._object_uid = scene.session_uid, obj.session_uid
        self._frame = scene.frame_current
        animation = obj.animation_data
        self._animated = animation is not None
        action = animation.action if animation is not None else None
        self._action_uid = action.session_uid if action is not None else None
        self._slot = action_api.slot_of(obj)
        self._fake_user = action is not None and action.use_fake_user
        self._pose = {bone.name: [_plain(getattr(bone, name)) for name in POSE] for bone in obj.pose.bones}
        self._switches = {bone.name: _numbers(bone) for bone in obj.pose.bones}

    def worn(self) -> tuple[bpy.types.Action | None, str]:
        """The action that the character had, if it still exists, and the identifier of its slot."""
        action = action_api.find_action(self._action_uid) if self._action_uid is not None else None
        return action, self._slot

    def restore(self) -> None:
        """Action, pose and frame as they were, as far as the character is still there."""
        scene = next((s for s in bpy.data.scenes if s.session_uid == self._scene_uid), None)
        if scene is not None and scene.frame_current != self._frame:
            scene.frame_set(self._frame)
        obj = next((o for o in bpy.data.objects if o.session_uid == self._object_uid), None)
        if obj is None:
            return
        self._restore_action(obj)
        for bone in obj.pose.bones:
            if bone.name in self._pose:
                for name, value in zip(POSE, self._pose[bone.name], strict=True):
                    if _plain(getattr(bone, name)) != value:
                        setattr(bone, name, value)
                for key, value in self._switches[bone.name].items():
                    if key in bone and bone[key] != value:
                        bone[key] = value

    def _restore_action(self, obj: bpy.types.Object) -> None:
        action_api.leave_tweak_mode(obj)
        action, slot = self.worn()
        if action is not None:
            action_api.put_back(obj, action, slot)
            if action.library is None:
                action.use_fake_user = self._fake_user
        elif obj.animation_data is not None:
            obj.animation_data.action = None
            if not self._animated:
                obj.animation_data_clear()


def _numbers(bone: bpy.types.PoseBone) -> dict[str, float]:
    """Custom properties, as control rigs have them for switches."""
    return {key: value for key, value in bone.items() if isinstance(value, (bool, int, float))}


def _plain(value: object) -> object:
    return value if isinstance(value, str) else tuple(value)
