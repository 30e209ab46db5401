"""Reduce Keys and Lock Feet, as operators on the action that the character plays. The work is in `edit_keys`."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from . import block_motion, character, edit_keys, playing, stream
from .edit_settings import INTERPOLATIONS
from .request import UserError

UNCHOSEN = {"SKIP_SAVE"}


class EditsAction:
    """What the operators have in common: the character, its action, and the frames."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    use_range: BoolProperty(
        name="Frame Range",
        description="Only these frames, instead of the whole action",
        default=False,
        options=UNCHOSEN,
    )
    frame_start: IntProperty(name="Start", description="First frame", default=1, options=UNCHOSEN)
    frame_end: IntProperty(name="End", description="Last frame", default=250, options=UNCHOSEN)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene is None or stream.running() or stream.pending():
            cls.poll_message_set(_("A motion is being generated, or takes wait to be accepted"))
            return False
        if playing.action_of(character.target(context)) is None:
            cls.poll_message_set(_("The character has no action; generate a motion first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        scene = context.scene
        if not any(map(self.properties.is_property_set, ("use_range", "frame_start", "frame_end"))):
            self.use_range = preview = scene.use_preview_range
            self.frame_start = scene.frame_preview_start if preview else scene.frame_start
            self.frame_end = scene.frame_preview_end if preview else scene.frame_end
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        given = self.properties.is_property_set
        # frames that a script gives are meant, without a word about the range
        ranged = self.use_range if given("use_range") else given("frame_start") or given("frame_end")
        frames = (self.frame_start, self.frame_end) if ranged else (None, None)
        try:
            if ranged and self.frame_end < self.frame_start:
                raise UserError(_("Frame {} is before frame {}").format(self.frame_end, self.frame_start))
            obj = character.target(context)
            found = playing.playing(obj, context.scene.frame_current)
            if ranged:
                frames = tuple(frame - found.shift for frame in frames)
            message = self.edit(obj, found.action, *frames)
            block_motion.mark(context.scene, obj, found.action)
        except UserError as error:
            self.report({"ERROR"}, _(str(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, message)
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.draw_own(layout)
        layout.prop(self, "use_range")
        column = layout.column(align=True)
        column.active = self.use_range
        column.prop(self, "frame_start")
        column.prop(self, "frame_end")

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        pass


class KMM_OT_reduce_keys(EditsAction, bpy.types.Operator):
    """Replace generated keys by as few as hold the motion. Your own keys are left alone"""

    bl_idname = "kmm.reduce_keys"
    bl_label = "Reduce Keys"

    tolerance: FloatProperty(
        name="Tolerance (mm)",
        description="How far any joint may be from where it was, in millimetres",
        default=5.0,
        min=0.1,
        max=100.0,
        soft_max=20.0,
        precision=1,
    )
    interpolation: EnumProperty(
        name="Interpolation", description="How the motion goes from key to key", items=INTERPOLATIONS
    )

    def edit(
        self, obj: bpy.types.Object, action: bpy.types.Action, first: int | None, last: int | None
    ) -> str:
        tolerance = self.tolerance * edit_keys.MILLIMETRE
        report = edit_keys.reduce_action(obj, action, first, last, tolerance, self.interpolation)
        text = _("{} keys became {}, {:.1f} times fewer; no joint is more than {:.1f} mm from where it was")
        fewer, largest = report.before / max(1, report.after), report.largest / edit_keys.MILLIMETRE
        return text.format(report.before, report.after, fewer, largest)

    def draw_own(self, layout: bpy.types.UILayout) -> None:
        layout.prop(self, "tolerance")
        layout.prop(self, "interpolation")


class KMM_OT_lock_feet(EditsAction, bpy.types.Operator):
    """Keep feet that stand from sliding. Only the legs change, and your own keys are left alone"""

    bl_idname = "kmm.lock_feet"
    bl_label = "Lock Feet"

    def edit(
        self, obj: bpy.types.Object, action: bpy.types.Action, first: int | None, last: int | None
    ) -> str:
        report = edit_keys.lock_action(obj, action, first, last)
        if report.largest == 0:
            return _("No foot slides that generated keys hold; nothing was changed")
        text = _("Feet locked; the legs moved by up to {:.0f} mm, nothing else did")
        return text.format(report.largest / edit_keys.MILLIMETRE)


register, unregister = bpy.utils.register_classes_factory((KMM_OT_reduce_keys, KMM_OT_lock_feet))
