"""Writing the storyboard: adding, removing, ordering, splitting and doubling its blocks."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import EnumProperty, IntProperty, StringProperty

from . import markers, storyboard


class EditsBlocks:
    """What the operators on blocks have in common."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    index: IntProperty(
        name="Block",
        description="Number of the block, from 0; -1: the active one",
        default=-1,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None and context.scene.library is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        settings = scene.kmm
        index = self.index if self.index >= 0 else settings.active_block
        if not 0 <= index < len(settings.blocks):
            self.report({"ERROR"}, _("There is no block {} in the storyboard").format(index + 1))
            return {"CANCELLED"}
        problem = self.edit(scene, index)
        if problem:
            self.report({"ERROR"}, _(problem))
            return {"CANCELLED"}
        markers.update(scene, storyboard.boundaries(scene))
        return {"FINISHED"}

    def edit(self, scene: bpy.types.Scene, index: int) -> str:
        """Do it; what is wrong, if it cannot be done, as one sentence."""
        raise NotImplementedError


class KMM_OT_block_add(EditsBlocks, bpy.types.Operator):
    """Add a block after the active one"""

    bl_idname = "kmm.block_add"
    bl_label = "Add Block"

    prompt: StringProperty(name="Prompt", description="If not given: a simple one", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        count = len(scene.kmm.blocks)
        at = self.index if self.index >= 0 else scene.kmm.active_block
        block = storyboard.add(scene, min(at + 1, count))
        if self.prompt:
            block.prompt = self.prompt
        markers.update(scene, storyboard.boundaries(scene))
        return {"FINISHED"}


class KMM_OT_block_remove(EditsBlocks, bpy.types.Operator):
    """Remove the block; keys that were made of it stay"""

    bl_idname = "kmm.block_remove"
    bl_label = "Remove Block"

    def edit(self, scene: bpy.types.Scene, index: int) -> str:
        settings = scene.kmm
        settings.blocks.remove(index)
        settings.active_block = max(0, min(index, len(settings.blocks) - 1))
        return ""


class KMM_OT_block_move(EditsBlocks, bpy.types.Operator):
    """Move the block one place up or down"""

    bl_idname = "kmm.block_move"
    bl_label = "Move Block"

    direction: EnumProperty(
        name="Direction",
        description="Where the block goes",
        items=(("UP", "Up", "Earlier in the storyboard"), ("DOWN", "Down", "Later in the storyboard")),
    )

    def edit(self, scene: bpy.types.Scene, index: int) -> str:
        settings = scene.kmm
        to = index + (1 if self.direction == "DOWN" else -1)
        if not 0 <= to < len(settings.blocks):
            return "The block is at the end of the storyboard already"
        settings.blocks.move(index, to)
        settings.active_block = to
        return ""


class KMM_OT_block_duplicate(EditsBlocks, bpy.types.Operator):
    """Add a block that says the same, after this one"""

    bl_idname = "kmm.block_duplicate"
    bl_label = "Duplicate Block"

    def edit(self, scene: bpy.types.Scene, index: int) -> str:
        copy = storyboard.add(scene, index + 1)
        storyboard.copy(scene.kmm.blocks[index], copy)
        return ""


class KMM_OT_block_split(EditsBlocks, bpy.types.Operator):
    """Cut the block in two at the playhead, or in the middle if the playhead is not within it. Its motion stays"""

    bl_idname = "kmm.block_split"
    bl_label = "Split Block"

    def edit(self, scene: bpy.types.Scene, index: int) -> str:
        start, stop = storyboard.block_limits(scene)[index : index + 2]
        if stop - start < 2:
            return "A block of one frame cannot be split"
        at = scene.frame_current if start < scene.frame_current < stop else (start + stop) // 2
        storyboard.add(scene, index + 1)
        storyboard.split(
            scene, scene.kmm.blocks[index], scene.kmm.blocks[index + 1], at - start, stop - start
        )
        return ""


class KMM_OT_block_prompt(EditsBlocks, bpy.types.Operator):
    """Write this prompt into the block; the weights are known to do it well"""

    bl_idname = "kmm.block_prompt"
    bl_label = "Use Prompt"

    prompt: StringProperty(name="Prompt", description="What the block is to show")

    def edit(self, scene: bpy.types.Scene, index: int) -> str:
        scene.kmm.blocks[index].prompt = self.prompt
        return ""


class KMM_OT_start_here(bpy.types.Operator):
    """Let the storyboard begin at the current frame"""

    bl_idname = "kmm.start_here"
    bl_label = "Start at Current Frame"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.kmm.frame_start = context.scene.frame_current
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        KMM_OT_block_add,
        KMM_OT_block_remove,
        KMM_OT_block_move,
        KMM_OT_block_duplicate,
        KMM_OT_block_split,
        KMM_OT_block_prompt,
        KMM_OT_start_here,
    )
)
