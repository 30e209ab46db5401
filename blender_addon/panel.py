"""The panel in the 3D view's sidebar. It only shows; nothing is asked or started while drawing."""

from __future__ import annotations

import textwrap

import bpy
from bpy.app.translations import pgettext_iface as _

from . import character, storyboard_panel, stream
from .translations import CONTEXT

CHARACTER_PIXELS = 6.5  #: about the mean width of a character of Blender's font, at interface scale 1


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
            self._draw_progress(context, layout.column())
        elif stream.pending():
            self._draw_takes(layout.column())
        else:
            self._draw_generate(context, layout.column())

    def _draw_character(self, context: bpy.types.Context, column: bpy.types.UILayout) -> None:
        settings = context.scene.kmm
        target = character.target(context)
        if target is None or target == settings.character:
            column.prop(settings, "character", placeholder="New")
        else:
            row = column.split(factor=0.4)
            row.alignment = "RIGHT"
            row.label(text="Character", text_ctxt=CONTEXT)
            row.alignment = "LEFT"
            row.label(text=_("{} (selected)").format(target.name), icon="ARMATURE_DATA")

    def _draw_generate(self, context: bpy.types.Context, column: bpy.types.UILayout) -> None:
        generation = stream.generation
        button = column.row()
        button.scale_y = 1.5
        button.operator("kmm.generate", icon="PLAY")
        # of what the user has taken back there is nothing to say
        if generation is not None and generation.incomplete and (generation.failed or generation.frames_kept):
            for i, part in enumerate(generation.message.split("; ")):
                paragraph(column, context, part, "ERROR" if generation.failed and i == 0 else "NONE")

    def _draw_progress(self, context: bpy.types.Context, column: bpy.types.UILayout) -> None:
        generation = stream.generation
        done, total = generation.frames_done, generation.frames_total
        text = _("{} / {} frames").format(done, total) if 0 < done < total else _(generation.message)
        if generation.held:
            paragraph(column, context, generation.held, "INFO")
        elif generation.seconds_left is not None and generation.seconds_left >= 1:
            text += _(", {:.0f} s left").format(generation.seconds_left)
        column.progress(factor=max(generation.progress, done / total / max(1, generation.takes)), text=text)
        row = column.row(align=True)
        row.operator("kmm.cancel", text="Stop and Keep", icon="CHECKMARK").restore = False
        row.operator("kmm.cancel", text="Cancel", icon="CANCEL").restore = True

    def _draw_takes(self, column: bpy.types.UILayout) -> None:
        generation = stream.generation
        row = column.row(align=True)
        row.operator("kmm.take_show", text="", icon="TRIA_LEFT").step = -1
        name = row.row()
        name.alignment = "CENTER"
        name.label(text=_("Take {} of {}").format(generation.shown + 1, generation.takes))
        row.operator("kmm.take_show", text="", icon="TRIA_RIGHT").step = 1
        row = column.row(align=True)
        row.scale_y = 1.5
        row.operator("kmm.take_accept", text="Accept", icon="CHECKMARK")
        row.operator("kmm.take_reject", text="Reject All", icon="X")


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Text in lines that the region has room for; with an icon, this before the first."""
    width = context.region.width / context.preferences.system.ui_scale
    indent = 20 if icon != "NONE" else 0
    column = layout.column(align=True)
    column.scale_y = 0.7
    lines = textwrap.wrap(_(text), max(20, int((width - 50 - indent) / CHARACTER_PIXELS)))
    for number, line in enumerate(lines):
        column.label(text=line, translate=False, icon=icon if number == 0 else "BLANK1" if indent else "NONE")


register, unregister = bpy.utils.register_classes_factory((VIEW3D_PT_kmm,))
