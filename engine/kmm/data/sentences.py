"""Whole sentences for actions, in the manner of people: whatever no grammar of phrases would come up with.

They are in sentences.toml, by key: a kind of action, at times with its speed, its count or how far it turns; two
that follow one another joined by "+", a gesture meanwhile by "&". Sided ones are written for the left.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from kmm.data.actions import Action, leftward, turn_size
from kmm.data.grammar import pick

SENTENCES: dict[str, list[str]] = tomllib.loads(
    files("kmm.data").joinpath("sentences.toml").read_text(encoding="utf-8")
)["sentences"]
GENERIC = 0.3  #: share of turns by a named angle that are told without it
TURNS = {"90": "turn_left 90", "180": "turn_around", "360": "turn_left 360"}  #: by what they are called
BACK = 45  #: degrees that who comes back may be off the way that was come


def key(actions: Sequence[Action], meanwhile: Action | None, rng: np.random.Generator) -> str:
    """Under what sentences for these actions are found, the right taken for the left; nothing may be found there."""
    if meanwhile is not None:  # an arm that is up and comes down at the end is up
        return f"{_single(actions[-1], rng)}&{leftward(meanwhile.kind).replace('raise_lower', 'raise')}"
    if len(actions) == 1:
        return _single(actions[0], rng)
    if there_and_back(actions):
        return "there_and_back"
    if corner(actions):
        return "walk_turn_left"
    return "+".join(_single(a, rng) for a in actions)


def corner(actions: Sequence[Action]) -> Action | None:
    """The turn of a walk that goes round one corner, perhaps straight before and after it; None for anything else."""
    turns = [a for a in actions if re.fullmatch("walk_turn_(left|right)", a.kind)]
    straight = all(a.kind == "walk_forward" and not a.count for a in actions if a not in turns)
    return turns[0] if len(turns) == 1 and straight and abs(turns[0].amount) < 155 else None


def there_and_back(actions: Sequence[Action]) -> bool:
    """Whether these are a walk ahead, a turn about, and the walk back."""
    if [a.kind for a in actions[::2]] != ["walk_forward"] * 2 or len(actions) != 3:
        return False
    return "turn_" in actions[1].kind and abs(abs(actions[1].amount) - 180) < BACK


def draw(actions: Sequence[Action], meanwhile: Action | None, rng: np.random.Generator) -> str | None:
    """A sentence for actions that follow one another, left for right where these are for the right; or None."""
    found = SENTENCES.get(key(actions, meanwhile, rng))
    return pick(found, rng) if found else None


def _single(action: Action, rng: np.random.Generator) -> str:
    kind = leftward(action.kind)
    if kind == "turn_left":
        return _turn(abs(action.amount), rng)
    if kind == "walk_turn_left" and abs(action.amount) > 155:
        return ""
    if kind.startswith(("walk", "run")):
        detail = str(action.count) if action.count else action.speed
    else:
        detail = str(action.count) if action.count > 1 else ""
    return f"{kind} {detail}".strip()


def _turn(degrees: float, rng: np.random.Generator) -> str:
    name = TURNS.get(turn_size(degrees))
    if name is not None and rng.random() >= GENERIC:
        return name
    return "turn_left" if degrees < 200 else ""
