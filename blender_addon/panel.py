"""The panel in the 3D view's sidebar. It only shows; nothing is asked or started while drawing."""

from __future__ import annotations

import bpy

from . import character, storyboard_panel, stream


class Sidebar:
    """Where our panels are. A sub-panel adds `bl_parent_id = "VIEW3D_PT_kmm"`, a label and its `bl_order`."""

    bl_category = "KMM"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"


class VIEW3D_PT_kmm(Sidebar, bpy.types.Panel):
    bl_label = "Text to Motion"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        storyboard_panel.draw(layout, context)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        self._draw_character(context, column)
        if stream.running():
            self._draw_progress(layout.column())
        elif stream.pending():
            self._draw_takes(layout.column())
        else:
            self._draw_generate(layout.column())

    def _draw_character(self, context: bpy.types.Context, column: bpy.types.UILayout) -> None:
        settings = context.scene.kmm
        target = character.target(context)
        if target is None or target == settings.character:
            column.prop(settings, "character", placeholder="New")
        else:
            row = column.split(factor=0.4)
            row.alignment = "RIGHT"
            row.label(text="Character")
            row.alignment = "LEFT"
            row.label(text=f"{target.name} (selected)", icon="ARMATURE_DATA")

    def _draw_generate(self, column: bpy.types.UILayout) -> None:
        generation = stream.generation
        column.scale_y = 1.5
        column.operator("kmm.generate", icon="PLAY")
        if generation is not None and generation.incomplete:
            self._draw_outcome(column, generation.message)

    def _draw_progress(self, column: bpy.types.UILayout) -> None:
        generation = stream.generation
        done, total = generation.frames_done, generation.frames_total
        text = f"{done} / {total} frames" if done else generation.message
        if generation.seconds_left is not None and generation.seconds_left >= 1:
            text += f", {generation.seconds_left:.0f} s left"
        column.progress(factor=max(generation.progress, done / total / max(1, generation.takes)), text=text)
        row = column.row(align=True)
        row.operator("kmm.cancel", text="Stop and Keep", icon="PAUSE").restore = False
        row.operator("kmm.cancel", text="Cancel", icon="CANCEL").restore = True

    def _draw_takes(self, column: bpy.types.UILayout) -> None:
        generation = stream.generation
        row = column.row(align=True)
        row.operator("kmm.take_show", text="", icon="TRIA_LEFT").step = -1
        name = row.row()
        name.alignment = "CENTER"
        name.label(text=f"Take {generation.shown + 1} of {generation.takes}")
        row.operator("kmm.take_show", text="", icon="TRIA_RIGHT").step = 1
        row = column.row(align=True)
        row.scale_y = 1.5
        row.operator("kmm.take_accept", text="Accept", icon="CHECKMARK")
        row.operator("kmm.take_reject", text="Reject All", icon="X")

    def _draw_outcome(self, layout: bpy.types.UILayout, message: str) -> None:
        lines = layout.column(align=True)
        lines.scale_y = 0.6
        for line in message.split("; "):
            lines.label(text=line)


register, unregister = bpy.utils.register_classes_factory((VIEW3D_PT_kmm,))
