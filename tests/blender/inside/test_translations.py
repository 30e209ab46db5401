"""Texts in other languages: each is a translation of something that is there, and Blender shows it."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .install import PACKAGE

translations = importlib.import_module(f"{PACKAGE}.translations")


def texts_of_the_add_on() -> Iterator[str]:
    """All texts in the add-on's source but for the translations, tooltips in docstrings included."""
    folder = Path(sys.modules[PACKAGE].__file__).parent
    for path in folder.rglob("*.py"):
        if "translations" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value.strip()


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_what_is_translated_is_there(language: str) -> None:
    gone = set(translations.LANGUAGES[language]) - set(texts_of_the_add_on())
    assert not gone, "not a text of the add-on (any more)"


def test_all_languages_have_the_same_texts() -> None:
    first, *others = translations.LANGUAGES.values()
    assert all(set(first) == set(other) for other in others)
    assert all(text.strip() for messages in (first, *others) for text in messages.values())
