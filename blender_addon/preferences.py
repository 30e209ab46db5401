"""The add-on's preferences: where the engine is and what it loads."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.props import StringProperty

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

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.use_property_split = True
        row = column.row(align=True)
        row.prop(self, "python", placeholder="Found by itself")
        row.operator("kmm.find_engine", text="", icon="VIEWZOOM")
        column.prop(self, "weights", placeholder="Default")


class KMM_OT_find_engine(bpy.types.Operator):
    """Look for a Python that has the engine installed, and choose it"""

    bl_idname = "kmm.find_engine"
    bl_label = "Find Engine"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        found = find_python("")
        if found is None:
            self.report(
                {"ERROR"}, "No Python with the engine was found; install it, then choose its Python here"
            )
            return {"CANCELLED"}
        context.preferences.addons[__package__].preferences.python = str(found)
        return {"FINISHED"}


def get(context: bpy.types.Context) -> tuple[str, str]:
    """The chosen Python and weights; empty where nothing was chosen."""
    addon = context.preferences.addons.get(__package__)
    if addon is None:  # registered from the source tree, without being installed
        return "", ""
    return addon.preferences.python, addon.preferences.weights


register, unregister = bpy.utils.register_classes_factory((KMM_Preferences, KMM_OT_find_engine))
