"""KMM for Blender: text to motion. The modules here are small; start with `stream` and `generation`."""

from __future__ import annotations

import bpy

from . import operators, panel, preferences, settings, stream

CLASSES = (
    preferences.KMM_Preferences,
    preferences.KMM_OT_find_engine,
    operators.KMM_OT_generate,
    operators.KMM_OT_cancel,
    operators.KMM_OT_start_engine,
    operators.KMM_OT_stop_engine,
    operators.KMM_OT_report,
    panel.VIEW3D_PT_kmm,
)


def register() -> None:
    settings.register()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    stream.register()


def unregister() -> None:
    stream.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    settings.unregister()
