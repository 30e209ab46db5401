"""Words for actions: many wordings for each kind, merged with a style, and left and right exchanged in a text.

The wordings themselves are in wordings.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from kmm.data.actions import Action
from kmm.data.grammar import Rules, conjugate, expand, pick, sentence

_WORDINGS: dict[str, Rules] = tomllib.loads(
    files("kmm.data").joinpath("wordings.toml").read_text(encoding="utf-8")
)
RULES, KINDS = _WORDINGS["rules"], _WORDINGS["kinds"]
GOING, WALKING = _WORDINGS["going"], {**_WORDINGS["going"], **_WORDINGS["walking"]}
STYLES, ACTIVITIES = _WORDINGS["styles"], _WORDINGS["activities"]
SIDE = re.compile(r"(?:^|_)(left|right)(?:$|_)")


def side_of(kind: str) -> str:
    """ "left", "right" or "" for a kind."""
    found = SIDE.search(kind)
    return found[1] if found else ""


def turn_rule(degrees: float) -> str:
    """The rule that words a turn of so many degrees; a size between the named ones is not named."""
    size = abs(degrees)
    named = {45: 17, 90: 16, 180: 25, 270: 20, 360: 30}
    for angle, tolerance in named.items():
        if abs(size - angle) < tolerance:
            return f"turn_{angle}"
    return "turn_some" if size < 205 else "turn_more"


def phrase(action: Action, rng: np.random.Generator) -> str:
    """A verb phrase for one action, verbs not conjugated yet: "{walk} slowly to the left"."""
    kind = re.sub(r"(^|_)right($|_)", r"\1left\2", action.kind)
    gait, _, way = kind.partition("_")
    rules = {**RULES, "much": RULES[turn_rule(action.amount)]}
    if gait in ("walk", "run") and way in GOING:
        rules["go"] = RULES[f"{gait}_{action.speed}" if action.speed else gait]
        if way == "turn_left" and 155 < abs(action.amount) < 215:
            way = "turn_back_left"
        alternatives = (WALKING if gait == "walk" else GOING)[way]
    else:
        alternatives = KINDS["spin_left" if kind == "turn_left" and abs(action.amount) > 300 else kind]
    text = expand(pick(alternatives, rng), rng, rules)
    if kind == "turn_left" and action.speed:
        text = f"{'slowly' if action.speed == 'slow' else 'quickly'} {text}"
    if action.count and gait == "walk":
        return _steps(action, way, rng)
    if action.count:
        text += " " + expand(f"<times_{action.count if action.count <= 6 else 'many'}>", rng, rules)
    text = text.strip()
    return swap_left_right(text) if side_of(action.kind) == "right" else text


def _steps(action: Action, way: str, rng: np.random.Generator) -> str:
    """A few counted steps: "{take} three steps to the left"."""
    number = f"<number_{action.count}> step{'s' if action.count > 1 else ''}"
    where = {
        "forward": "<ahead>",
        "backward": "<back>",
        "left": "[to the left|sideways to the left|to the side, left]",
    }
    template = f"[{{take}} {number}|{{walk}} {number}] {where.get(way, '')}"
    text = expand(template, rng, RULES)
    return swap_left_right(text) if side_of(action.kind) == "right" else text


def _linked(phrases: list[str], actions: Sequence[Action], rng: np.random.Generator) -> list[str]:
    """Setting off after standing and standing after going are at times worded as starting and stopping."""
    out = phrases[:1]
    for before, after, words in zip(actions[:-1], actions[1:], phrases[1:], strict=True):
        going = re.compile("walk|run")
        if before.kind == "stand" and going.match(after.kind) and rng.random() < 0.5:
            words = f"{{{pick(('start', 'begin'), rng)}}} {conjugate(words, 'gerund')}"
        elif after.kind == "stand" and going.match(before.kind) and rng.random() < 0.6:
            words = pick(
                (
                    "{stop}",
                    "{come} to a stop",
                    "{stop} and {stand} still",
                    "{halt}",
                    "{stop} moving",
                    "{slow} down and {stop}",
                    "{come} to a halt",
                    "{remain} standing",
                    "{pause}",
                ),
                rng,
            )
        out.append(words)
    return out


def describe(
    actions: Sequence[Action],
    rng: np.random.Generator,
    *,
    meanwhile: Action | None = None,
    style: str | None = None,
    activity: str | None = None,
) -> str:
    """One sentence for actions that follow one another, a gesture meanwhile, and the set's style merged in."""
    phrases = _linked([phrase(a, rng) for a in actions], actions, rng)
    if meanwhile is not None:
        gesture = conjugate(phrase(meanwhile, rng), "gerund")
        phrases[-1] += f" {pick(('while', 'while', 'and at the same time', 'whilst'), rng)} {gesture}"
    endings = (
        STYLES.get(style, [f"in a {style} [way|style|manner]"]) if style else ACTIVITIES.get(activity or "")
    )
    # a style is left out at times, as people do; an activity (dancing, dribbling) changes the motion too much
    if endings and rng.random() < (0.75 if style else 1.0):
        words = expand(pick(endings, rng), rng, RULES)
        phrases[-1] += words if words.startswith(",") else f" {words}"
    return sentence(phrases, rng)


_PAIRS = {"left": "right", "leftward": "rightward", "leftwards": "rightwards", "lefts": "rights",
          "lefthand": "righthand", "leftmost": "rightmost"}  # fmt: skip
_SWAP = {**_PAIRS, **{b: a for a, b in _PAIRS.items()}, "clockwise": "counterclockwise"}
_WORDS = re.compile(
    r"(?<![A-Za-z])(?P<all>all[ -])?"
    r"(?P<word>(?:counter|anti)[ -]?clockwise|clockwise|(?:left|right)(?:wards?|s|hand|most)?)(?![A-Za-z])"
    r"(?! (?:away|now|after|before|there|here|angles?)\b)",
    re.IGNORECASE,
)


def swap_left_right(text: str) -> str:
    """The text for the mirrored motion: left and right, clockwise and counterclockwise exchanged, case kept.

    "Right" that is no direction ("all right", "right away", "upright") stays.
    """

    def change(found: re.Match[str]) -> str:
        word = found["word"]
        if found["all"]:
            return found[0]
        low = word.lower()
        other = "clockwise" if low != "clockwise" and low.endswith("clockwise") else _SWAP[low]
        return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other

    return _WORDS.sub(change, text)
