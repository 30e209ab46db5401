"""KMM for Blender: text to motion. The modules here are small; start with `stream` and `generation`."""

from __future__ import annotations

from . import operators, panel, preferences, settings, stream

#: Each has register() and unregister(). A sub-panel comes after `panel`, its parent.
MODULES = (
    preferences,
    settings,
    operators,
    panel,
    stream,
)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
