"""The storyboard in the panel: the list of blocks, and the settings of the active one."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt as _

from . import hints, storyboard, stream

COLUMN = 20  #: kinds of prompts in a column of the menu
LENGTH_SHARE = (
    0.4  #: of a block's length and its unit: so little that the unit's name has room in every language
)
KIND = "kmm_kind"  #: name of a context's member: the kind of prompts that a menu lists


class KMM_UL_blocks(bpy.types.UIList):
    """One line a block: prompt, length, lock."""

    bl_idname = "KMM_UL_blocks"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.AnyType,
        item: storyboard.KMM_Block,
        icon: int,
        active_data: bpy.types.AnyType,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        row = layout.row(align=True)
        row.prop(item, "prompt", text="", emboss=False)
        length = row.row()
        length.ui_units_x = 2.4
        length.alignment = "RIGHT"
        length.label(text=f"{item.frames} f" if item.unit == "FRAMES" else f"{item.seconds:.4g} s")
        row.prop(item, "locked", text="", icon="LOCKED" if item.locked else "UNLOCKED", emboss=False)


class KMM_MT_blocks(bpy.types.Menu):
    """What else can be done with a block."""

    bl_idname = "KMM_MT_blocks"
    bl_label = "Block"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("kmm.block_duplicate", icon="DUPLICATE")
        self.layout.operator("kmm.block_split", icon="SPLIT_HORIZONTAL")
        self.layout.separator()
        self.layout.prop(context.scene.kmm, "show_markers")
        self.layout.operator("kmm.start_here", icon="TIME")


def _known() -> dict[str, tuple[str, ...]] | None:
    """What the loaded weights are known to do well, prompts by kind; None without an engine."""
    client = stream.engine.client
    return client.welcome.prompts if client is not None else None


class KMM_MT_prompts(bpy.types.Menu):
    """Prompts that the loaded weights are known to do well, by kind."""

    bl_idname = "KMM_MT_prompts"
    bl_label = "Prompts That Work"

    def draw(self, context: bpy.types.Context) -> None:
        known = _known()
        if known is None:
            self.layout.label(text="Start the engine to see what its weights know")
        elif not known:
            self.layout.label(text="These weights come without a list of prompts")
        columns = self.layout.row()
        for number, kind in enumerate(known or ()):
            if number % COLUMN == 0:
                column = columns.column()
            row = column.row()
            row.context_string_set(KIND, kind)
            row.menu("KMM_MT_prompts_of_kind", text=kind.capitalize())


class KMM_MT_prompts_of_kind(bpy.types.Menu):
    """Those of the kind that the menu before names in its context."""

    bl_idname = "KMM_MT_prompts_of_kind"
    bl_label = "Prompts That Work"

    def draw(self, context: bpy.types.Context) -> None:
        for prompt in (_known() or {}).get(getattr(context, KIND, ""), ()):
            self.layout.operator("kmm.block_prompt", text=prompt, translate=False).prompt = prompt


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The list, and below it the active block."""
    scene = context.scene
    settings = scene.kmm
    row = layout.row()
    row.template_list(
        "KMM_UL_blocks",
        "",
        settings,
        "blocks",
        settings,
        "active_block",
        rows=3 if len(settings.blocks) < 2 else max(4, min(8, len(settings.blocks))),
    )
    side = row.column(align=True)
    side.operator("kmm.block_add", text="", icon="ADD")
    side.operator("kmm.block_remove", text="", icon="REMOVE")
    side.menu("KMM_MT_blocks", text="", icon="DOWNARROW_HLT")
    if len(settings.blocks) > 1:
        side.separator()
        side.operator("kmm.block_move", text="", icon="TRIA_UP").direction = "UP"
        side.operator("kmm.block_move", text="", icon="TRIA_DOWN").direction = "DOWN"
    if 0 <= settings.active_block < len(settings.blocks):
        _draw_block(layout, context, settings.blocks[settings.active_block])
    if settings.blocks:
        _draw_total(layout, scene)


def _draw_block(layout: bpy.types.UILayout, context: bpy.types.Context, block: storyboard.KMM_Block) -> None:
    column = layout.column()
    column.enabled = not block.locked
    row = column.row(align=True)
    row.prop(block, "prompt", text="", icon="TEXT", placeholder="a person ...")
    row.menu("KMM_MT_prompts", text="", icon="PRESET")
    hint = hints.hint(block.prompt)
    if hint:
        column.label(text=hint, icon="INFO")
    column.use_property_split = True
    column.use_property_decorate = False
    row = column.split(factor=0.4)
    name = row.row()
    name.alignment = "RIGHT"
    name.label(text="Duration")
    row = row.split(factor=LENGTH_SHARE, align=True)
    row.use_property_split = False
    row.prop(block, "frames" if block.unit == "FRAMES" else "seconds", text="")
    row.prop(block, "unit", text="")
    column.prop(block, "seed")
    column.prop(block, "transition")
    if block.made_frames and block.action is not None:
        row = column.split(factor=0.6, align=True)
        row.operator("kmm.regenerate_block", icon="FILE_REFRESH")
        row.operator("kmm.regenerate_block", text="Another").new_seed = True


def _draw_total(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    limits = storyboard.block_limits(scene)
    seconds = (limits[-1] - limits[0]) / storyboard.rate(scene)
    row = layout.row()
    row.active = False
    row.label(text=_("{:.4g} s in all, frames {} to {}").format(seconds, limits[0], limits[-1] - 1))


register, unregister = bpy.utils.register_classes_factory(
    (KMM_UL_blocks, KMM_MT_blocks, KMM_MT_prompts, KMM_MT_prompts_of_kind)
)
