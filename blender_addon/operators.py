"""What the buttons do. Each operator also runs from scripts, where it waits for its end."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import character, inbetween, planning, storyboard, stream
from .request import Request, UserError


class Generates:
    """What operators that generate have in common: with a window the timer goes on, a script waits for the end."""

    bl_options: ClassVar[set[str]] = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if stream.running():
            cls.poll_message_set(_("A motion is being generated"))
            return False
        return context.scene is not None

    def plan(self, context: bpy.types.Context) -> Request:
        """What to generate. Raises UserError."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return {"FINISHED"} if self._begin(context, interactive=True) else {"CANCELLED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self._begin(context):
            return {"CANCELLED"}
        generation = stream.wait()
        if generation.failed:
            self.report({"ERROR"}, _(generation.message))
            return {"CANCELLED"}
        self.report({"INFO"}, _(generation.message))
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context, interactive: bool = False) -> bool:
        try:
            if stream.settle() and interactive:
                bpy.ops.ed.undo_push(message="Accept Take")
            stream.generate(context, self.plan(context))
        except UserError as error:
            self.report({"ERROR"}, _(str(error)))
            return False
        return True


class KMM_OT_generate(Generates, bpy.types.Operator):
    """Generate the storyboard. From a script: wait until it is there; a prompt given there is generated instead, \
from the current frame on"""

    bl_idname = "kmm.generate"
    bl_label = "Generate Motion"

    prompt: StringProperty(
        name="Prompt", description="If not given: the first block's", options={"SKIP_SAVE"}
    )
    seconds: FloatProperty(
        name="Duration",
        description="If not given: the first block's",
        options={"SKIP_SAVE"},
        unit="TIME_ABSOLUTE",
    )
    seed: IntProperty(
        name="Seed", description="If not given: the first block's", min=0, options={"SKIP_SAVE"}
    )
    takes: IntProperty(
        name="Takes", description="If not given: the scene's", min=1, max=8, options={"SKIP_SAVE"}
    )

    def plan(self, context: bpy.types.Context) -> Request:
        scene = context.scene
        given = {
            name: getattr(self, name)
            for name in ("prompt", "seconds", "seed")
            if self.properties.is_property_set(name)
        }
        if given:
            storyboard.ensure_first_block(scene)
            first = scene.kmm.blocks[0]
            seconds = storyboard.length(first, storyboard.rate(scene)) / storyboard.rate(scene)
            values = {"prompt": first.prompt, "seconds": seconds, "seed": first.seed} | given
            request = planning.one(scene, character.target(context), **values)
        else:
            request = planning.whole(scene, character.target(context))
        takes = self.takes if self.properties.is_property_set("takes") else scene.kmm.takes
        return replace(request, options=replace(request.options, takes=takes))


class KMM_OT_regenerate_block(Generates, bpy.types.Operator):
    """Generate this block anew, with its seed; the motion before and after it stays as it is, but for the \
transition"""

    bl_idname = "kmm.regenerate_block"
    bl_label = "Regenerate Block"

    index: IntProperty(
        name="Block",
        description="Number of the block, from 0; -1: the active one",
        default=-1,
        options={"SKIP_SAVE"},
    )
    new_seed: BoolProperty(
        name="New Seed",
        description="Take the next seed, for another motion than before",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        tip = cls.__doc__ or ""
        if properties.new_seed:
            tip = "Generate another motion for this block, with the next seed; the rest stays as it is"
        return bpy.app.translations.pgettext_tip(tip)

    def plan(self, context: bpy.types.Context) -> Request:
        scene = context.scene
        index = self.index if self.index >= 0 else scene.kmm.active_block
        return planning.block(scene, character.target(context), index, self.new_seed)


class KMM_OT_in_between(Generates, bpy.types.Operator):
    """Fill the frames between poses that are keyed, as the prompt says. Without a choice of keys: from the key \
before the playhead to the one after it"""

    bl_idname = "kmm.in_between"
    bl_label = "Fill Between Keys"

    frame_start: IntProperty(name="From", description="If not given: as the keys say", options={"SKIP_SAVE"})
    frame_end: IntProperty(name="To", description="If not given: as the keys say", options={"SKIP_SAVE"})
    prompt: StringProperty(
        name="Prompt", description="If not given: the active block's", options={"SKIP_SAVE"}
    )
    seed: IntProperty(
        name="Seed", description="If not given: the active block's", min=0, options={"SKIP_SAVE"}
    )
    given: EnumProperty(
        name="Keep",
        description="What is there already, and stays",
        items=(
            ("POSES", "Key Poses", "The keyed poses in the range"),
            ("MOTION", "Motion Around", "The motion before and after the range, and no key within it"),
        ),
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        tip = cls.__doc__ or ""
        if properties.given == "MOTION":
            tip = (
                "Make the motion between the first and the last selected key anew, as the prompt of the active "
                "block says. The motion before and after stays"
            )
        return bpy.app.translations.pgettext_tip(tip)

    def plan(self, context: bpy.types.Context) -> Request:
        scene, obj = context.scene, character.target(context)
        storyboard.ensure_first_block(scene)
        blocks = scene.kmm.blocks
        active = blocks[min(max(scene.kmm.active_block, 0), len(blocks) - 1)]

        def value(name: str, otherwise: object) -> object:
            return getattr(self, name) if self.properties.is_property_set(name) else otherwise

        first, last = inbetween.span(scene, obj) if not self._has_range() else (0, 0)
        return inbetween.between(
            scene,
            obj,
            value("frame_start", first),
            value("frame_end", last),
            value("prompt", active.prompt),
            value("seed", active.seed),
            self.given,
        )

    def _has_range(self) -> bool:
        return all(self.properties.is_property_set(name) for name in ("frame_start", "frame_end"))


class KMM_OT_cancel(bpy.types.Operator):
    """Stop generating"""

    bl_idname = "kmm.cancel"
    bl_label = "Cancel"

    restore: BoolProperty(
        name="Restore",
        description="Have action, pose and frame as they were before, instead of keeping the keys that are there",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.restore:
            return bpy.app.translations.pgettext_tip("Stop generating, and have everything as it was before")
        return bpy.app.translations.pgettext_tip("Stop generating, and keep the keys that are there")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return stream.running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        stream.cancel(self.restore)
        return {"FINISHED"}


class KMM_OT_report(bpy.types.Operator):
    """Tell how a generation ended"""

    # Blender shows what an operator reports that a script has called only if the operator is modal
    bl_idname = "kmm.report"
    bl_label = "Report"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    message: StringProperty()
    failed: BoolProperty()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        manager = context.window_manager
        self._timer = manager.event_timer_add(0.01, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({"WARNING" if self.failed else "INFO"}, _(self.message))
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        KMM_OT_generate,
        KMM_OT_regenerate_block,
        KMM_OT_in_between,
        KMM_OT_cancel,
        KMM_OT_report,
    )
)
