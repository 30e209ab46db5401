"""The sub-panel for retargeting, and in it the table of bones. It only shows."""

from __future__ import annotations

from typing import ClassVar

import bpy
from kmm.retarget.checking import said
from kmm.retarget.roles import CHAINS, FINGERS, MIDLINE, SIDED, SIDES, TWISTS

from .. import panel
from ..translations import CONTEXT
from .settings import KMM_MappedRig

BODY = tuple(role for role in SIDED if role not in FINGERS + TWISTS)
NAME_SHARE = 0.4  #: of a line: the longest name of a part of the body, and the button that adds a bone


class KMM_UL_targets(bpy.types.UIList):
    """The armatures that are to get the motion."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:  # type: ignore[no-untyped-def]
        row = layout.row(align=True)
        if item.object is None:
            row.label(text="(deleted)", icon="ERROR")
            return
        row.prop(item, "use", text="")
        row.label(text=item.object.name, translate=False, icon="ARMATURE_DATA")
        row.label(text=item.title, translate=False, icon="ERROR" if item.problems else "NONE")


class VIEW3D_PT_kmm_retarget(panel.Sidebar, bpy.types.Panel):
    bl_parent_id = "VIEW3D_PT_kmm"
    bl_label = "Retarget"
    bl_order = 40
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.kmm_retargeting
        layout = self.layout
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        made = context.scene.kmm.character
        column.prop(settings.source, "object", text="Source", placeholder=made.name if made else "Armature")
        column.prop(settings, "action", placeholder="Current Action")
        row = layout.row()
        row.template_list("KMM_UL_targets", "", settings, "targets", settings, "index", rows=3)
        buttons = row.column(align=True)
        buttons.operator("kmm.retarget_add", text="", icon="ADD")
        buttons.operator("kmm.retarget_remove", text="", icon="REMOVE")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "root_motion")
        checks = column.column(heading="Keep", align=True)
        checks.prop(settings, "feet")
        checks.prop(settings, "hands")
        checks.prop(settings, "world")
        column.prop(settings, "ik_controls")
        column.prop(settings, "live")
        column = layout.column()
        column.scale_y = 1.5
        column.operator("kmm.retarget", icon="ARMATURE_DATA")


class VIEW3D_PT_kmm_bone_map(panel.Sidebar, bpy.types.Panel):
    bl_parent_id = "VIEW3D_PT_kmm_retarget"
    bl_label = "Bone Map"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.kmm_retargeting
        layout = self.layout
        layout.row().prop(settings, "table", expand=True)
        rig = settings.shown()
        if rig is None or rig.object is None:
            layout.label(
                text="Choose a source first" if settings.table == "SOURCE" else "Choose a target first",
                icon="INFO",
            )
            return
        row = layout.row(align=True)
        row.prop(rig, "title", text="")
        row.operator("kmm.map_guess", text="", icon="VIEWZOOM")
        row.operator("kmm.map_choose", text="", icon="PRESET")
        row.operator("kmm.map_load", text="", icon="FILE_FOLDER")
        row.operator("kmm.map_save", text="", icon="FILE_TICK")
        layout.label(text=f"{rig.object.name}: {rig.how}", icon="ERROR" if rig.problems else "CHECKMARK")
        self._draw_problems(context, layout, rig)
        self._draw_table(layout, rig, settings.show_fingers)
        layout.prop(settings, "show_fingers")
        row = layout.row(align=True)
        row.operator("kmm.map_mirror", text="Left to Right").side = "left"
        row.operator("kmm.map_mirror", text="Right to Left").side = "right"

    def _draw_problems(
        self, context: bpy.types.Context, layout: bpy.types.UILayout, rig: KMM_MappedRig
    ) -> None:
        width = max(20, int(context.region.width / context.preferences.system.ui_scale / 7))
        lines = layout.column(align=True)
        lines.scale_y = 0.7
        for problem in rig.problems.splitlines()[:6]:
            for i, line in enumerate(_wrapped(problem, width)):
                lines.label(text=line, icon="DOT" if i == 0 else "BLANK1")

    def _draw_table(self, layout: bpy.types.UILayout, rig: KMM_MappedRig, fingers: bool) -> None:
        rows: dict[str, list[bpy.types.PropertyGroup]] = {}
        for row in rig.rows:
            rows.setdefault(row.role, []).append(row)
        for role in MIDLINE:
            line = layout.split(factor=NAME_SHARE, align=True)
            self._draw_name(line, role)
            self._draw_bones(line, rig, rows.get(role, []))
        for part in BODY + (TWISTS + FINGERS if fingers else ()):
            line = layout.split(factor=NAME_SHARE, align=True)
            self._draw_name(line, part)
            both = line.column(align=True)
            for side in SIDES:
                self._draw_bones(both, rig, rows.get(f"{side}_{part}", []), side[0].upper())

    def _draw_name(self, line: bpy.types.UILayout, name: str) -> None:
        cell = line.row(align=True)
        cell.label(text=said(name).capitalize(), text_ctxt=CONTEXT)
        if name in CHAINS:
            cell.operator("kmm.map_add", text="", icon="ADD", emboss=False).role = name

    def _draw_bones(
        self,
        layout: bpy.types.UILayout,
        rig: KMM_MappedRig,
        rows: list[bpy.types.PropertyGroup],
        side: str = "",
    ) -> None:
        column = layout.column(align=True)
        bones = rig.object.data
        for row in rows:
            cell = column.row(align=True)
            cell.alert = bool(row.bone) and row.bone not in bones.bones
            if side:
                letter = cell.row()
                letter.ui_units_x = 0.8
                letter.label(text=side)
            cell.prop_search(row, "bone", bones, "bones", text="", icon="BONE_DATA")


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


CLASSES = (KMM_UL_targets, VIEW3D_PT_kmm_retarget, VIEW3D_PT_kmm_bone_map)
