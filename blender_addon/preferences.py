"""The add-on's preferences: where the engine is, what it loads, how long it stays."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import IntProperty, StringProperty

from .find_python import find_python


class KMM_Preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    python: StringProperty(
        name="Engine's Python",
        description="Python program of the environment that the engine is installed in. "
        "Empty: it is looked for at each start ($KMM_PYTHON, ~/.kmm, the programs on the path)",
        subtype="FILE_PATH",
    )
    weights: StringProperty(
        name="Weights",
        description="Name or folder of the model's weights. Empty: the engine's default",
    )
    idle_minutes: IntProperty(
        name="Stop When Idle (min)",
        description="Minutes without work after which the engine ends and frees its memory; it starts again when it "
        "is needed. 0: it runs as long as Blender",
        default=60,
        min=0,
        soft_max=240,
    )

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.use_property_split = True
        row = column.row(align=True)
        row.prop(self, "python", placeholder="Found by itself")
        row.operator("kmm.find_engine", text="", icon="VIEWZOOM")
        column.prop(self, "weights", placeholder="Default")
        column.prop(self, "idle_minutes")
        from . import install_operators  # which uses this module

        if install_operators.installation is not None:
            install_operators.draw(column, context)
        else:
            column.operator("kmm.install_engine", icon="IMPORT")


class KMM_OT_find_engine(bpy.types.Operator):
    """Look for a Python that has the engine installed, and choose it"""

    bl_idname = "kmm.find_engine"
    bl_label = "Find Engine"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        found = find_python("")
        if found is None:
            self.report(
                {"ERROR"}, "No engine was found on this computer; install it, or choose its Python here"
            )
            return {"CANCELLED"}
        choose(context, python=str(found))
        return {"FINISHED"}


class KMM_OT_show_preferences(bpy.types.Operator):
    """Open the preferences of this extension"""

    bl_idname = "kmm.show_preferences"
    bl_label = "Engine Preferences"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if of(context) is None:
            self.report({"ERROR"}, "The extension is not installed, and so it has no preferences")
            return {"CANCELLED"}
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


def of(context: bpy.types.Context) -> KMM_Preferences | None:
    """The preferences; None if the add-on was registered from the source tree, without being installed."""
    addon = context.preferences.addons.get(__package__)
    return None if addon is None else addon.preferences


def get(context: bpy.types.Context) -> tuple[str, str, int]:
    """The chosen Python and weights (empty where none was chosen), and the idle minutes that the engine outlives."""
    preferences = of(context)
    if preferences is None:
        return "", "", 0
    python, weights = (bpy.path.abspath(path) for path in (preferences.python, preferences.weights))
    return python, weights, preferences.idle_minutes


def choose(context: bpy.types.Context, **values: str) -> None:
    """Set preferences for the user, if there are any, so that they are there in the next session too."""
    preferences = of(context)
    if preferences is not None:
        for name, value in values.items():
            setattr(preferences, name, value)
        context.preferences.is_dirty = True  # else Blender does not save them at its end


register, unregister = bpy.utils.register_classes_factory(
    (KMM_Preferences, KMM_OT_find_engine, KMM_OT_show_preferences)
)
