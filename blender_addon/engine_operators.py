"""The engine at hand: start, stop, restart, other weights, what it wrote into its log."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import EnumProperty

from . import preferences, stream
from .find_python import find_python
from .installed_weights import Weights, installed_weights
from .request import UserError

LOG_LINES = 25  #: of the log's end that are shown

_items: list[tuple[str, str, str]] = []  # of the menu: Blender needs them to stay


def weights_items(_: object, context: bpy.types.Context) -> list[tuple[str, str, str]]:
    """The weights to choose from, as items of a menu."""
    python = find_python(preferences.get(context)[0])
    found = installed_weights(python) if python is not None else []
    _items[:] = [(w.name, w.name, w.licence) for w in found] or [_none(context)]
    return _items


def _none(context: bpy.types.Context) -> tuple[str, str, str]:
    chosen = Weights(preferences.get(context)[1], "")
    return (chosen.name, chosen.name or "Default", "What is chosen in the preferences")


class Starts:
    """What operators that start the engine have in common."""

    def start(self, context: bpy.types.Context) -> set[str]:
        try:
            stream.start_engine(context)
        except UserError as error:
            self.report({"ERROR"}, _(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class KMM_OT_start_engine(Starts, bpy.types.Operator):
    """Start the engine now, so that the next motion comes at once"""

    bl_idname = "kmm.start_engine"
    bl_label = "Start Engine"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.start(context)


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


class KMM_OT_restart_engine(Starts, bpy.types.Operator):
    """Stop the engine and start it again, with the Python and weights that are chosen now"""

    bl_idname = "kmm.restart_engine"
    bl_label = "Restart Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return stream.engine.running

    def execute(self, context: bpy.types.Context) -> set[str]:
        stream.stop_engine()
        return self.start(context)


class KMM_OT_use_weights(Starts, bpy.types.Operator):
    """Choose the weights that the engine loads, and restart it if it runs"""

    bl_idname = "kmm.use_weights"
    bl_label = "Use Weights"

    name: EnumProperty(name="Weights", description="Which weights the engine loads", items=weights_items)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if stream.running():
            cls.poll_message_set(_("A motion is being generated"))
            return False
        return preferences.of(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        preferences.choose(context, weights=self.name)
        if not stream.engine.running:
            return {"FINISHED"}
        stream.stop_engine()
        return self.start(context)


class KMM_OT_show_log(bpy.types.Operator):
    """Show the end of what the engine wrote into its log"""

    bl_idname = "kmm.show_log"
    bl_label = "Engine Log"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return stream.engine.log is not None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.lines = last_lines(stream.engine.log)
        return context.window_manager.invoke_popup(self, width=800)

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.scale_y = 0.7
        for line in self.lines or [_("The log is empty")]:
            column.label(text=line, translate=False)
        row = self.layout.row()
        row.label(text=str(stream.engine.log), translate=False)
        row.operator("wm.path_open", text="Open", icon="FILE_TEXT").filepath = str(stream.engine.log)

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({"INFO"}, "\n".join(last_lines(stream.engine.log)))
        return {"FINISHED"}


def last_lines(log: Path) -> list[str]:
    """The end of the log."""
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    except OSError as error:
        return [str(error)]


register, unregister = bpy.utils.register_classes_factory(
    (
        KMM_OT_start_engine,
        KMM_OT_stop_engine,
        KMM_OT_restart_engine,
        KMM_OT_use_weights,
        KMM_OT_show_log,
    )
)
