"""KMM for Blender: text to motion. The modules here are small; start with `stream` and `generation`."""

from __future__ import annotations

from . import (
    block_operators,
    character,
    edit_operators,
    edit_panel,
    engine_operators,
    engine_panel,
    install_operators,
    menu,
    operators,
    panel,
    preferences,
    retargeting,
    settings,
    storyboard,
    storyboard_panel,
    stream,
    take_operators,
    takes_panel,
    translations,
)

#: Each has register() and unregister(). A sub-panel comes after `panel`, its parent.
MODULES = (
    preferences,
    engine_operators,
    install_operators,
    settings,
    character,
    storyboard,
    operators,
    block_operators,
    take_operators,
    edit_operators,
    storyboard_panel,
    panel,
    takes_panel,
    edit_panel,
    retargeting,
    engine_panel,
    menu,
    translations,
    stream,
)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
