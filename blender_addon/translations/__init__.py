"""The add-on's texts in other languages, in Blender's own way: whoever sets Blender to a language sees ours in it.

A module a language, with two dictionaries from the English text to the other one: `MESSAGES`, and `OURS` for words that
mean something else elsewhere in Blender. What is missing stays English.
"""

from __future__ import annotations

import bpy

from . import de, fr

LANGUAGES = {"de_DE": de.MESSAGES, "fr_FR": fr.MESSAGES}
OURS = {"de_DE": de.OURS, "fr_FR": fr.OURS}
CONTEXT = "KMM"  #: of our own words
CONTEXTS = ("*", "Operator")  #: of all texts, and of the names of operators


def register() -> None:
    tables = {
        language: {(context, english): text for english, text in messages.items() for context in CONTEXTS}
        | {(CONTEXT, english): text for english, text in OURS[language].items()}
        for language, messages in LANGUAGES.items()
    }
    bpy.app.translations.register(__package__, tables)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
