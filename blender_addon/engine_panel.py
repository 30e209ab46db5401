"""Sub-panel: the engine, what it runs on, and what it has loaded."""

from __future__ import annotations

import functools
import time
from typing import ClassVar

import bpy

from . import install_operators, preferences, stream
from .engine import Engine, State
from .find_python import find_python
from .panel import Sidebar, paragraph

LOOK_SECONDS = 2.0  #: for which it holds that an engine was found, so that not every redraw looks for one
ENGINE_ICONS = {
    State.OFF: "RADIOBUT_OFF",
    State.STARTING: "SORTTIME",
    State.READY: "RADIOBUT_ON",
    State.FAILED: "ERROR",
}


class VIEW3D_PT_kmm_engine(Sidebar, bpy.types.Panel):
    bl_label = "Engine"
    bl_parent_id = "VIEW3D_PT_kmm"
    bl_order = 50
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        engine = stream.engine
        row = self.layout.row(align=True)
        row.label(text=engine.state.value, icon=ENGINE_ICONS[engine.state])
        if engine.running:
            row.operator("kmm.stop_engine", text="", icon="QUIT", emboss=False)
        else:
            row.operator("kmm.start_engine", text="", icon="PLAY", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        engine, layout = stream.engine, self.layout
        if engine.message:
            paragraph(layout, context, engine.message)
        if install_operators.installation is not None:
            install_operators.draw(layout, context)
        elif engine.state is State.FAILED or not is_installed(context):
            layout.operator("kmm.install_engine", icon="IMPORT")
        if engine.client is not None:
            self._draw_facts(layout, context, engine)
        row = layout.row(align=True)
        row.operator("kmm.restart_engine", text="Restart", icon="FILE_REFRESH")
        row.operator("kmm.show_log", text="Log", icon="TEXT")
        row.operator("kmm.show_preferences", text="", icon="PREFERENCES")

    def _draw_facts(self, layout: bpy.types.UILayout, context: bpy.types.Context, engine: Engine) -> None:
        welcome = engine.client.welcome
        column = layout.column(align=True)
        fact(column, "Device", welcome.device)
        if engine.memory is not None:
            fact(column, "Memory", f"{engine.memory / 2**20:.0f} MiB")
        row = column.split(factor=0.4)
        _right(row, "Weights")
        row.operator_menu_enum("kmm.use_weights", "name", text=welcome.weights)
        paragraph(layout, context, welcome.licence)


def is_installed(context: bpy.types.Context) -> bool:
    """Whether there is an engine that can be started."""
    return _is_found(preferences.get(context)[0], int(time.monotonic() / LOOK_SECONDS))


@functools.lru_cache(maxsize=1)
def _is_found(chosen: str, _when: int) -> bool:
    return find_python(chosen) is not None


def fact(layout: bpy.types.UILayout, name: str, value: str) -> None:
    """A name and its value, as properties are shown."""
    row = layout.split(factor=0.4)
    _right(row, name)
    row.label(text=value, translate=False)


def _right(layout: bpy.types.UILayout, text: str) -> None:
    row = layout.row()
    row.alignment = "RIGHT"
    row.label(text=text)


register, unregister = bpy.utils.register_classes_factory((VIEW3D_PT_kmm_engine,))
