"""What the buttons do. Each operator also runs from scripts, where it waits for its end."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, StringProperty

from . import stream
from .generation import Request, UserError


class KMM_OT_generate(bpy.types.Operator):
    """Generate the motion from the current frame on. From a script: wait until it is there"""

    bl_idname = "kmm.generate"
    bl_label = "Generate Motion"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    prompt: StringProperty(name="Prompt", description="If not given: the scene's", options={"SKIP_SAVE"})
    seconds: FloatProperty(
        name="Duration", description="If not given: the scene's", options={"SKIP_SAVE"}, unit="TIME_ABSOLUTE"
    )
    seed: IntProperty(name="Seed", description="If not given: the scene's", min=0, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if stream.running():
            cls.poll_message_set("A motion is being generated")
            return False
        return context.scene is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return {"FINISHED"} if self._begin(context) else {"CANCELLED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self._begin(context):
            return {"CANCELLED"}
        generation = stream.wait()
        if generation.failed:
            self.report({"ERROR"}, generation.message)
            return {"CANCELLED"}
        self.report({"INFO"}, generation.message)
        return {"FINISHED"}

    def _begin(self, context: bpy.types.Context) -> bool:
        def value(name: str) -> object:
            given = self.properties.is_property_set(name)
            return getattr(self if given else context.scene.kmm, name)

        try:
            stream.generate(context, Request(value("prompt"), value("seconds"), value("seed")))
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return False
        return True


class KMM_OT_cancel(bpy.types.Operator):
    """Stop generating, and keep the keys that are there"""

    bl_idname = "kmm.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return stream.running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        stream.cancel()
        return {"FINISHED"}


class KMM_OT_start_engine(bpy.types.Operator):
    """Start the engine now, so that the next motion comes at once"""

    bl_idname = "kmm.start_engine"
    bl_label = "Start Engine"

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            stream.start_engine(context)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class KMM_OT_stop_engine(bpy.types.Operator):
    """Stop the engine and free its memory; what is being generated keeps the keys that it has"""

    bl_idname = "kmm.stop_engine"
    bl_label = "Stop Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return stream.engine.running

    def execute(self, context: bpy.types.Context) -> set[str]:
        stream.stop_engine()
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
        self.report({"WARNING" if self.failed else "INFO"}, self.message)
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (KMM_OT_generate, KMM_OT_cancel, KMM_OT_start_engine, KMM_OT_stop_engine, KMM_OT_report)
)
