"""Choosing among takes: stepping through them, keeping one, throwing all away."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import IntProperty

from . import stream
from .request import UserError


class ChoosesTake:
    """What the operators on waiting takes have in common."""

    bl_options: ClassVar[set[str]] = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not stream.pending():
            cls.poll_message_set(_("There are no takes to choose from; generate some"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.choose(stream.generation)
        except UserError as error:
            self.report({"ERROR"}, _(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class KMM_OT_take_show(ChoosesTake, bpy.types.Operator):
    """Put another take on the character"""

    # without an undo step: whichever take is shown, it is not yet kept
    bl_idname = "kmm.take_show"
    bl_label = "Show Take"

    step: IntProperty(
        name="Step", description="How many takes on; negative: back", default=1, options={"SKIP_SAVE"}
    )
    take: IntProperty(
        name="Take", description="Its number, from 0; before the step", min=0, options={"SKIP_SAVE"}
    )

    def choose(self, generation: stream.Generation) -> None:
        if self.properties.is_property_set("take"):
            if self.take >= generation.takes:
                raise UserError(
                    _("There is no take {}; there are {}").format(self.take + 1, generation.takes)
                )
            generation.show(self.take)
        else:
            generation.show((generation.shown + self.step) % generation.takes)


class KMM_OT_take_accept(ChoosesTake, bpy.types.Operator):
    """Keep the take that the character shows, and forget the others"""

    bl_idname = "kmm.take_accept"
    bl_label = "Accept Take"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def choose(self, generation: stream.Generation) -> None:
        generation.accept()


class KMM_OT_take_reject(ChoosesTake, bpy.types.Operator):
    """Throw all takes away, and have action, pose and frame as they were before"""

    bl_idname = "kmm.take_reject"
    bl_label = "Reject All Takes"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def choose(self, generation: stream.Generation) -> None:
        generation.reject()


register, unregister = bpy.utils.register_classes_factory(
    (KMM_OT_take_show, KMM_OT_take_accept, KMM_OT_take_reject)
)
