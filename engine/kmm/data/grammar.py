"""A small phrase grammar: alternatives, conjugated verbs and possessives, and sentences made from them.

A template holds `<rule>` for one of a rule's alternatives, `[a|b|]` for a choice on the spot (an empty part is
allowed), `{walk}` for a verb to conjugate and `<their>` for the subject's possessive: "[{walk}|{stroll}] with <their>
head up" gives "strolls with her head up".
"""

from __future__ import annotations

import re

import numpy as np

Rules = dict[str, list[str]]

RULE = re.compile(r"<(?!their>)([^<>]*)>")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
VERB = re.compile(r"\{([^{}]*)\}")

#: Verbs that double their last consonant before -ing.
DOUBLING = {"run", "jog", "step", "sidestep", "side-step", "stop", "squat", "sit", "get", "put", "hop", "spin",
            "drop", "trot", "let", "begin"}  # fmt: skip
IRREGULAR_GERUND = {"lie": "lying"}
IRREGULAR_THIRD = {"have": "has"}

#: Who acts, with the possessive and whether the verb takes -s.
SUBJECTS: tuple[tuple[str, str, bool], ...] = (
    ("a person", "their", True), ("a person", "their", True), ("a person", "their", True),
    ("the person", "their", True), ("someone", "their", True), ("somebody", "their", True),
    ("a man", "his", True), ("the man", "his", True), ("a woman", "her", True), ("the woman", "her", True),
    ("he", "his", True), ("she", "her", True), ("they", "their", False), ("the figure", "its", True),
    ("a figure", "its", True), ("the character", "their", True), ("a human", "their", True),
    ("an actor", "their", True), ("this person", "their", True), ("the actor", "their", True),
)  # fmt: skip


def pick(options: tuple[str, ...] | list[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def expand(template: str, rng: np.random.Generator, rules: Rules) -> str:
    """Resolve choices (innermost first) and rules until none is left; verbs and possessives stay."""
    while "[" in template or RULE.search(template):
        template = CHOICE.sub(lambda m: pick(m[1].split("|"), rng), template)
        if "[" not in template:
            template = RULE.sub(lambda m: pick(rules[m[1]], rng), template)
    return " ".join(template.split()).replace(" ,", ",")


def third(verb: str) -> str:
    """Third person singular: "walk" -> "walks"; only the first word of a phrasal verb changes."""
    if verb in IRREGULAR_THIRD:
        return IRREGULAR_THIRD[verb]
    if re.search(r"(s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + "s"


def gerund(verb: str) -> str:
    """The -ing form: "walk" -> "walking"."""
    if verb in IRREGULAR_GERUND:
        return IRREGULAR_GERUND[verb]
    if verb in DOUBLING:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + "ing"


def conjugate(phrase: str, form: str) -> str:
    """Verbs of an expanded phrase as "base", "third" or "gerund"."""

    def change(found: re.Match[str]) -> str:
        return third(found[1]) if form == "third" else gerund(found[1]) if form == "gerund" else found[1]

    return VERB.sub(change, phrase)


JOINERS_2 = (
    ", then ",
    " and then ",
    ", and then ",
    " then ",
    " and ",
    " before {gerund}",
    " followed by {gerund}",
)


def join(phrases: list[str], form: str, rng: np.random.Generator) -> str:
    """Phrases that follow one another in time, in one verb form."""
    if len(phrases) == 1:
        return conjugate(phrases[0], form)
    if len(phrases) == 2:
        joiner = pick(JOINERS_2, rng)
        if joiner.endswith("{gerund}"):
            return conjugate(phrases[0], form) + joiner[: -len("{gerund}")] + conjugate(phrases[1], "gerund")
        return conjugate(phrases[0], form) + joiner + conjugate(phrases[1], form)
    done = [conjugate(p, form) for p in phrases]
    last = pick((", and finally ", " and then ", ", then ", " and "), rng)
    return pick((", ", ", then "), rng).join(done[:-1]) + last + done[-1]


def sentence(phrases: list[str], rng: np.random.Generator) -> str:
    """A sentence about expanded phrases in time order: with a subject, as a command, or as a bare -ing form."""
    chance = rng.random()
    if chance < 0.5:  # a person walks / they walk
        subject, possessive, singular = SUBJECTS[int(rng.integers(len(SUBJECTS)))]
        text = f"{subject} {join(phrases, 'third' if singular else 'base', rng)}"
    elif chance < 0.67:  # a person is walking
        subject, possessive, singular = SUBJECTS[int(rng.integers(len(SUBJECTS)))]
        text = f"{subject} {'is' if singular else 'are'} {join(phrases, 'gerund', rng)}"
    elif chance < 0.85:  # walk forward
        possessive = pick(("your", "the", "the"), rng)
        text = join(phrases, "base", rng)
    elif chance < 0.95:  # walking forward
        possessive = pick(("the", "their", "his", "her"), rng)
        text = join(phrases, "gerund", rng)
    else:  # walks forward
        possessive = pick(("the", "their", "his", "her"), rng)
        text = join(phrases, "third", rng)
    text = text.replace("<their>", possessive)
    return text + pick(("", "", "."), rng)
