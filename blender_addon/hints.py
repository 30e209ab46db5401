"""Prompts that are far from what the weights know, as the engine has told of them."""

from __future__ import annotations

from collections.abc import Iterable

from bpy.app.translations import pgettext_iface as _

#: A prompt gets a hint if so few of the captions that people wrote, and training has not seen, are further away.
#: With kmm-open that is 2 of 100 sensible prompts in words of their own, and more than half of absurd ones.
UNFAMILIAR = 0.1

_familiarity: dict[str, float] = {}  # of the prompts that were generated with the weights that are loaded


def note(prompts: Iterable[str], values: Iterable[float]) -> None:
    """Remember what the engine said of prompts; it may say nothing."""
    _familiarity.update(zip(prompts, values, strict=False))


def forget() -> None:
    """Other weights may know other things."""
    _familiarity.clear()


def hint(prompt: str) -> str:
    """What to know about a prompt that was generated, one line; "" if there is nothing to know."""
    if _familiarity.get(prompt.strip(), 1.0) >= UNFAMILIAR:
        return ""
    return _("Far from what these weights know")
