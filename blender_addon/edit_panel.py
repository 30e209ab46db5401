"""Sub-panel: what can be done to a motion that is there, and what is done to each that is kept."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .panel import Sidebar


class VIEW3D_PT_kmm_edit(Sidebar, bpy.types.Panel):
    bl_label = "Edit"
    bl_parent_id = "VIEW3D_PT_kmm"
    bl_order = 30
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.kmm.edit
        column = self.layout.column()
        column.operator("kmm.lock_feet", icon="CON_FLOOR")
        reduce_keys = column.operator("kmm.reduce_keys", icon="IPO_BEZIER")
        reduce_keys.tolerance, reduce_keys.interpolation = settings.tolerance, settings.interpolation
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "tolerance")
        column.row().prop(settings, "interpolation", expand=True)
        column = column.column(heading="When Kept")
        column.prop(settings, "lock_feet")
        column.prop(settings, "reduce_keys")


register, unregister = bpy.utils.register_classes_factory((VIEW3D_PT_kmm_edit,))
