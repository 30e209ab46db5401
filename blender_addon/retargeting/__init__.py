"""Motion on any armature: from the engine's clips, or from any action of any humanoid armature.

`retarget_action` and `retarget_clip` are for scripts, with or without a window, and need nothing registered. Read
`retarget` first; `reading` and `writing` are its two halves.
"""

from __future__ import annotations

import bpy
from kmm.retarget import BoneMap, Options

from . import live, operators, panel, settings
from .retarget import retarget_action, retarget_clip

__all__ = ["BoneMap", "Options", "register", "retarget_action", "retarget_clip", "unregister"]

_register, _unregister = bpy.utils.register_classes_factory((*operators.CLASSES, *panel.CLASSES))


def register() -> None:
    settings.register()
    _register()
    live.register()


def unregister() -> None:
    live.unregister()
    _unregister()
    settings.unregister()
