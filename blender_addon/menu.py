"""Object > Animation > Text to Motion: the same in a menu, so that Blender's search (F3) finds it."""

from __future__ import annotations

import bpy


class KMM_MT_motion(bpy.types.Menu):
    bl_idname = "KMM_MT_motion"
    bl_label = "Text to Motion"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("kmm.generate", icon="PLAY")
        layout.operator("kmm.regenerate_block", icon="FILE_REFRESH")
        layout.operator("kmm.in_between", icon="KEYFRAME_HLT")
        layout.operator("kmm.in_between", text="Fill Gap", icon="KEYFRAME").given = "MOTION"
        layout.operator("kmm.cancel", icon="CANCEL")
        layout.separator()
        layout.operator("kmm.take_accept", icon="CHECKMARK")
        layout.operator("kmm.take_reject", icon="X")
        layout.separator()
        layout.operator("kmm.lock_feet")
        layout.operator("kmm.reduce_keys")
        layout.operator("kmm.retarget")
        layout.separator()
        layout.operator("kmm.start_engine")
        layout.operator("kmm.stop_engine")
        layout.operator("kmm.restart_engine")
        layout.operator("kmm.show_log")
        layout.operator("kmm.install_engine")


def _draw(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.separator()
    menu.layout.menu("KMM_MT_motion")


def register() -> None:
    bpy.utils.register_class(KMM_MT_motion)
    bpy.types.VIEW3D_MT_object_animation.append(_draw)  # which the Pose menu shows as well


def unregister() -> None:
    bpy.types.VIEW3D_MT_object_animation.remove(_draw)
    bpy.utils.unregister_class(KMM_MT_motion)
