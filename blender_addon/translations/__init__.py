"""The add-on's texts in other languages, in Blender's own way: whoever sets Blender to a language sees ours in it.

A module a language, with one dictionary from the English text to the other one. What is missing stays English.
"""

from __future__ import annotations

import bpy

from . import de, fr

LANGUAGES = {"de_DE": de.MESSAGES, "fr_FR": fr.MESSAGES}
CONTEXTS = ("*", "Operator")  #: of all texts, and of the names of operators


def register() -> None:
    tables = {
        language: {(context, english): text for english, text in messages.items() for context in CONTEXTS}
        for language, messages in LANGUAGES.items()
    }
    bpy.app.translations.register(__package__, tables)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
