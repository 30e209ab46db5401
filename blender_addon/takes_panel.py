"""Sub-panels: how a motion is made, and how many takes of it."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .panel import Sidebar


class VIEW3D_PT_kmm_motion(Sidebar, bpy.types.Panel):
    bl_label = "Motion"
    bl_parent_id = "VIEW3D_PT_kmm"
    bl_order = 10
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.kmm
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "place")
        row = column.row(align=True)
        row.enabled = settings.place != "CONTINUE"
        row.prop(settings, "frame_start")
        row.operator("kmm.start_here", text="", icon="TIME")
        column.prop(settings, "speed")
        column.prop(settings, "in_place")
        column.prop(settings, "loop")
        column.prop(settings, "mirror")
        column = self.layout.column(align=True)
        column.operator("kmm.in_between", icon="KEYFRAME_HLT").given = "POSES"
        column.operator("kmm.in_between", text="Fill Gap", icon="KEYFRAME").given = "MOTION"


class VIEW3D_PT_kmm_takes(Sidebar, bpy.types.Panel):
    bl_label = "Takes"
    bl_parent_id = "VIEW3D_PT_kmm"
    bl_order = 20
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.kmm
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "takes")
        column.prop(settings, "accept_as")


register, unregister = bpy.utils.register_classes_factory((VIEW3D_PT_kmm_motion, VIEW3D_PT_kmm_takes))
