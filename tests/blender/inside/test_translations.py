"""Texts in other languages: each is one of something that is there, and nothing that people read is without."""

from __future__ import annotations

import ast
import importlib
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from kmm.retarget.checking import said
from kmm.retarget.roles import MIDLINE, SIDED

from .install import PACKAGE

translations = importlib.import_module(f"{PACKAGE}.translations")

#: What Blender itself has in these languages in the same sense, or leaves as it is.
BLENDERS = {
    "Action",
    "Armature",
    "Bezier",
    "Bone",
    "Cancel",
    "Default",
    "Duration",
    "Follow",
    "Frame",
    "Frames",
}
BLENDERS |= {
    "Interpolation",
    "Linear",
    "Lock",
    "Loop",
    "Markers",
    "Mirror",
    "Name",
    "New",
    "NLA Strip",
    "Open",
}
BLENDERS |= {"Direction", "Down", "End", "Frame Range", "From", "Python", "Step"}
BLENDERS |= {"Root", "Seconds", "Seed", "Source", "Speed", "Start", "Start Frame", "Target", "Use"}
ENGLISH = {"a person ..."}  #: prompts are
#: Never seen: Blender asks for a name, and shows these nowhere.
UNSEEN = {"KMM_OT_report", "KMM_Marker"}
#: Calls and keywords whose texts people read.
CALLS = {
    "_",
    "pgettext_tip",
    "UserError",
    "CannotInstall",
    "poll_message_set",
    "report",
    "_end",
    "cancel",
    "fail",
}
CALLS |= {"fact", "_right"}
KEYWORDS = {"text", "heading", "placeholder", "message", "confirm_text"}
CLASSES = ("Operator", "Panel", "Menu", "PropertyGroup", "AddonPreferences")


def sources() -> Iterator[ast.Module]:
    """The add-on's modules, but for the translations and what only runs in headless pipelines."""
    for path in Path(sys.modules[PACKAGE].__file__).parent.rglob("*.py"):
        if not {"translations", "pipeline"} & set(path.parts):
            yield ast.parse(path.read_text(encoding="utf-8"))


def texts_of_the_add_on() -> Iterator[str]:
    """All texts in the add-on's source, tooltips in docstrings included."""
    for module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.strip()


def messages() -> Iterator[ast.expr]:
    """What is said in labels, reports and errors, as it is written in the source."""
    for module in sources():
        for node in ast.walk(module):
            found: list[ast.expr] = []
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                found += node.args if name in CALLS else []
                found += [k.value for k in node.keywords if k.arg in KEYWORDS]
            elif isinstance(node, ast.Assign) and getattr(node.targets[-1], "attr", "") == "message":
                found.append(node.value)
            for each in found:
                yield from (each.body, each.orelse) if isinstance(each, ast.IfExp) else (each,)


def classes() -> Iterator[tuple[str, type]]:
    """What the add-on has registered and people see, with its kind."""
    for name in CLASSES:
        for cls in getattr(bpy.types, name).__subclasses__():
            if cls.__module__.startswith(PACKAGE) and cls.__name__ not in UNSEEN:
                yield name, cls


def own_properties(cls: type) -> Iterator[bpy.types.Property]:
    """Those that are shown: without a name of its own one is not."""
    for identifier in {i for base in cls.__mro__ for i in getattr(base, "__annotations__", {})}:
        prop = properties_of(cls).get(identifier)
        own = prop is not None and not prop.is_hidden and not identifier.startswith("bl_")
        if own and prop.name != identifier:
            yield prop


def registered() -> Iterator[str]:
    """Names and tooltips of what the add-on has registered."""
    for name, cls in classes():
        yield getattr(cls, "bl_label", "")
        yield (cls.__doc__ or "") if name == "Operator" else ""
        for prop in own_properties(cls):
            yield from (prop.name, prop.description)
            for item in prop.enum_items_static if prop.type == "ENUM" else ():
                yield from (item.name, item.description)


def test_everything_has_a_tooltip() -> None:
    bare = [cls.__name__ for name, cls in classes() if name == "Operator" and not cls.__doc__]
    for _, cls in classes():
        for prop in own_properties(cls):
            where = f"{cls.__name__}.{prop.identifier}"
            bare += [where] if not prop.description else []
            items = prop.enum_items_static if prop.type == "ENUM" else ()
            bare += [f"{where}: {item.identifier}" for item in items if not item.description]
    assert not bare, "\n".join(bare)


def properties_of(cls: type) -> bpy.types.bpy_prop_collection:
    """Those of an operator are not on its class."""
    if not issubclass(cls, bpy.types.Operator):
        return cls.bl_rna.properties
    module, name = cls.bl_idname.split(".")
    return getattr(getattr(bpy.ops, module), name).get_rna_type().properties


def shown() -> set[str]:
    """All that people read and that is to be translated."""
    constants = {e.value for e in messages() if isinstance(e, ast.Constant) and isinstance(e.value, str)}
    steps = importlib.import_module(f"{PACKAGE}.installing").STEPS
    states = {state.value for state in importlib.import_module(f"{PACKAGE}.engine").State}
    found = {text.strip() for text in {*constants, *registered(), *steps, *states}}
    return {text for text in found - ENGLISH if has_words(text)}


def has_words(text: str) -> bool:
    """Besides fields, signs, units and Blender's identifiers."""
    return bool(re.search("[a-z]{2}", re.sub(r"\{[^}]*\}", "", text)))


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_what_is_translated_is_there(language: str) -> None:
    gone = set(translations.LANGUAGES[language]) - set(texts_of_the_add_on()) - shown()
    assert not gone, "not a text of the add-on (any more)"


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_all_that_people_read_is_translated(language: str) -> None:
    ours = {said(role).capitalize() for role in MIDLINE + SIDED} | {"Character", "Speed"}
    assert ours == set(translations.OURS[language])
    missing = shown() - ours - set(translations.LANGUAGES[language]) - BLENDERS
    assert not missing, f"{len(missing)} not translated: {sorted(missing)}"


def test_sentences_with_values_can_be_translated() -> None:
    """An f-string is another text each time, which no dictionary has: fields are filled in after translating."""
    built = [e for e in messages() if isinstance(e, ast.JoinedStr)]
    words = [
        ast.unparse(e)
        for e in built
        if any(has_words(part.value) for part in e.values if isinstance(part, ast.Constant))
    ]
    assert not words


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_translations_have_the_same_fields(language: str) -> None:
    for english, other in translations.LANGUAGES[language].items():
        assert other.strip()
        assert fields(other) == fields(english), english


def fields(text: str) -> list[tuple[str, str | None]]:
    return [(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None]


def test_all_languages_have_the_same_texts() -> None:
    first, *others = translations.LANGUAGES.values()
    assert all(set(first) == set(other) for other in others)
