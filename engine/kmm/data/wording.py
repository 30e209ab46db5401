"""Words for actions: many wordings for each kind, merged with a style, and left and right exchanged in a text.

The wordings themselves are in wordings.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise

import numpy as np

from kmm.data import sentences
from kmm.data.actions import Action, leftward, turn_size
from kmm.data.grammar import Rules, conjugate, expand, pick, sentence

_WORDINGS: dict[str, Rules] = tomllib.loads(
    files("kmm.data").joinpath("wordings.toml").read_text(encoding="utf-8")
)
RULES, KINDS = _WORDINGS["rules"], _WORDINGS["kinds"]
GOING = _WORDINGS["going"]
WALKING, RUNNING = {**GOING, **_WORDINGS["walking"]}, {**GOING, **_WORDINGS["running"]}
RETURNING, COUNTED = _WORDINGS["returning"]["any"], _WORDINGS["counted"]
STYLES, ACTIVITIES = _WORDINGS["styles"], _WORDINGS["activities"]
WHOLE = 0.5  #: share of captions that are whole sentences where there are any
SIDE = re.compile(r"(?:^|_)(left|right)(?:$|_)")


def side_of(kind: str) -> str:
    """ "left", "right" or "" for a kind."""
    found = SIDE.search(kind)
    return found[1] if found else ""


def _rules(action: Action, gait: str = "") -> Rules:
    """The file's rules and those that depend on the action: how far it turns, its gait and its speed."""
    size = turn_size(action.amount)
    rules = {
        **RULES,
        "much": RULES[f"turn_{size}"],
        "a_turn": RULES[f"a_turn_{size}"],
        "whole": RULES[f"whole_{size}"],
        "manner": RULES[f"manner_{action.speed}"] if action.speed else [""],
    }
    if gait:
        rules["go"] = RULES[f"{gait}_{action.speed}" if action.speed else gait]
        rules["going"] = [conjugate(words, "gerund") for words in rules["go"]]
        rules["plain"] = [f"{{{gait}}}"]
    return rules


def phrase(action: Action, rng: np.random.Generator) -> str:
    """A verb phrase for one action, verbs not conjugated yet: "{walk} slowly to the left"."""
    kind = leftward(action.kind)
    gait, _, way = kind.partition("_")
    going = gait in ("walk", "run") and way in GOING
    rules = _rules(action, gait if going else "")
    text = _gone(action, gait, way, rng, rules) if going else _done(action, kind, rng, rules)
    return swap_left_right(text.strip()) if side_of(action.kind) == "right" else text.strip()


def _gone(action: Action, gait: str, way: str, rng: np.random.Generator, rules: Rules) -> str:
    """Walking or running some way, at times with its counted steps."""
    if way == "turn_left" and abs(action.amount) > 155:
        way = "turn_back_left" if abs(action.amount) < 215 else "turn_far_left"
    steps = gait == "walk" and 1 <= action.count <= 6
    if steps and way in STEPS and (action.count < 3 or rng.random() < 0.8):
        return _steps(action, way, rng, rules)
    text = expand(pick((WALKING if gait == "walk" else RUNNING)[way], rng), rng, rules)
    if steps and way not in STEPS and rng.random() < 0.5:
        text += " " + expand(f"for <steps_{action.count}>", rng, rules)
    return text


def _done(action: Action, kind: str, rng: np.random.Generator, rules: Rules) -> str:
    """Anything but going, with how often and, for a turn, how fast."""
    if kind in COUNTED and 2 <= action.count <= 6 and rng.random() < 0.35:
        return expand(pick(COUNTED[kind], rng), rng, {**rules, "n": RULES[f"number_{action.count}"]})
    spun = kind == "turn_left" and abs(action.amount) > 300
    text = expand(pick(KINDS["spin_left" if spun else kind], rng), rng, rules)
    if kind == "turn_left" and action.speed:
        manner = pick(RULES[f"turning_{action.speed}"], rng)
        text = f"{manner} {text}" if manner.endswith("ly") and rng.random() < 0.5 else f"{text} {manner}"
    if action.count:
        text += " " + expand(f"<times_{action.count if action.count <= 6 else 'many'}>", rng, rules)
    return text


#: Where counted steps go.
STEPS = {
    "forward": "<ahead>",
    "backward": "[<back>|<back>|back]",
    "left": "[to the left|to the left|sideways to the left|to the side, left|<sideways>|left|to <their> left]",
}


def _steps(action: Action, way: str, rng: np.random.Generator, rules: Rules) -> str:
    """A few counted steps: "{take} three steps to the left"."""
    number, where = f"<steps_{action.count}>", STEPS[way]
    single = {"forward": "forward", "backward": "[back|backwards|backward]", "left": "[to the left|left]"}[
        way
    ]
    templates = [
        *3 * [f"{{take}} {number} {where}"],
        *2 * [f"{{walk}} {number} {where}"],
        f"{{walk}} {where} for {number}",
        f"{{move}} {number} {where}",
        f"{{make}} {number} {where}",
        f"{{go}} {number} {where}",
        f"{{step}} {single} {f'<times_{action.count}>' if action.count > 1 else '[once|one time||]'}",
        f"{{do}} {number} {where}",
    ]
    return expand(f"{pick(templates, rng)} <manner>", rng, rules)


SETTING_OFF = (
    *3 * ("{start} GOING",), *3 * ("{begin} GOING",), *3 * ("{start} to GO",), *2 * ("{begin} to GO",),
    "{set} off and GO", "{get} going and GO", "{start} off and GO", "{start} to move and GO",
    "{leave} the spot and GO", "{take} off, GOING", "{start} out, GOING", "{get} moving, GOING",
    "{set} off, GOING", "{go} from standing to GOING",
)  # fmt: skip
STOPPING = (
    *4 * ("{stop}",), "{come} to a stop", "{come} to a stop", "{stop} and {stand} still", "{stop} and {stand} still",
    "{halt}", "{halt}", "{stop} moving", "{stop} GOING", "{stop} GOING", "{slow} down and {stop}", "{come} to a halt",
    "{remain} standing", "{pause}", "{stand} still", "{quit} GOING", "{cease} GOING", "{end} up standing still",
    "{come} to a standstill", "{make} a stop", "{stop} in place", "{stop} on the spot", "{finish} GOING",
    "{stop} and {wait}", "{slow} to a stop", "{freeze}", "{come} to rest", "{stop} to stand in place",
    "{stop} completely",
)  # fmt: skip


def _linked(phrases: list[str], actions: Sequence[Action], rng: np.random.Generator) -> list[str]:
    """Phrases worded by what was before them.

    Setting off after standing and standing after going are at times worded as starting and stopping, and going
    forward after a walk or run and an about-turn as coming back.
    """
    out = phrases[:1]
    going = re.compile("walk|run")
    for i, (before, after) in enumerate(pairwise(actions)):
        words = phrases[i + 1]
        gait = "{walk}" if before.kind.startswith("walk") else "{run}"
        if before.kind == "stand" and going.match(after.kind) and rng.random() < 0.5:
            words = _with_going(pick(SETTING_OFF, rng), words)
        elif after.kind == "stand" and going.match(before.kind) and rng.random() < 0.6:
            words = _with_going(pick(STOPPING, rng), gait)
        elif _coming_back(actions[: i + 2]) and rng.random() < 0.5:
            words = expand(pick(RETURNING, rng), rng, _rules(after, after.kind.partition("_")[0]))
        out.append(words)
    return out


def _with_going(template: str, words: str) -> str:
    return template.replace("GOING", conjugate(words, "gerund")).replace("GO", _after_to(template, words))


def _after_to(template: str, words: str) -> str:
    return conjugate(words, "base") if "to GO" in template else words


def _coming_back(actions: Sequence[Action]) -> bool:
    """Whether the last action goes back the way that was come: forward, after turning by about 180 degrees."""
    *earlier, turn, last = actions
    if last.kind not in ("walk_forward", "run_forward") or last.count or not 155 <= abs(turn.amount) <= 215:
        return False
    if re.match("(walk|run)_turn_", turn.kind):
        return True
    return bool(
        earlier and turn.kind.startswith("turn_") and re.match("(walk|run)_forward", earlier[-1].kind)
    )


def describe(
    actions: Sequence[Action],
    rng: np.random.Generator,
    *,
    meanwhile: Action | None = None,
    style: str | None = None,
    activity: str | None = None,
) -> str:
    """One sentence for actions that follow one another, a gesture meanwhile, and the set's style merged in."""
    plain = not style and activity not in ACTIVITIES
    whole = sentences.draw(actions, meanwhile, rng) if plain and rng.random() < WHOLE else None
    if whole is not None:
        right = any(side_of(a.kind) == "right" for a in (*actions, *([meanwhile] if meanwhile else ())))
        return swap_left_right(whole) if right else whole
    phrases = _linked([phrase(a, rng) for a in actions], actions, rng)
    if meanwhile is not None:
        phrases[-1] = _together(phrases[-1], phrase(meanwhile, rng), rng)
    endings = (
        STYLES.get(style, [f"in a {style} [way|style|manner]"]) if style else ACTIVITIES.get(activity or "")
    )
    # a style is left out at times, as people do; an activity (dancing, dribbling) changes the motion too much
    if endings and rng.random() < (0.75 if style else 1.0):
        words = expand(pick(endings, rng), rng, RULES)
        phrases[-1] += words if words.startswith(",") else f" {words}"
    return sentence(phrases, rng)


def _together(body: str, gesture: str, rng: np.random.Generator) -> str:
    """What the legs do and a gesture meanwhile, in either order."""
    chance = rng.random()
    if chance < 0.25:
        return f"{gesture} {pick(('while', 'while', 'whilst'), rng)} {conjugate(body, 'gerund')}"
    if chance < 0.4:
        return f"{body} {pick(('and', 'and at the same time', 'and meanwhile', 'and simultaneously'), rng)} {gesture}"
    between = ("while", "while", "while", "while", "whilst", "while also", ", simultaneously", ", at the same time",
               ", meanwhile", "all while", "and at the same time")  # fmt: skip
    return f"{body} {pick(between, rng)} {conjugate(gesture, 'gerund')}".replace(" ,", ",")


_PAIRS = {"left": "right", "leftward": "rightward", "leftwards": "rightwards", "lefts": "rights",
          "lefthand": "righthand", "leftmost": "rightmost"}  # fmt: skip
_SWAP = {**_PAIRS, **{b: a for a, b in _PAIRS.items()}, "clockwise": "counterclockwise"}
_WORDS = re.compile(
    r"(?<![A-Za-z])(?P<all>all[ -])?"
    r"(?P<word>(?:counter|anti)[ -]?clockwise|clockwise|left(?:wards?|s|hand|most)?"
    r"|right(?:wards?|s|hand|most)|right(?! (?:away|now|after|before|there|here|angles?)\b))(?![A-Za-z])",
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
