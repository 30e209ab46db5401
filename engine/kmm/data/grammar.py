"""A small phrase grammar: alternatives, conjugated verbs and possessives, and sentences made from them.

A template holds `<rule>` for one of a rule's alternatives, `[a|b|]` for a choice on the spot (an empty part is
allowed), `{walk}` for a verb to conjugate, `<their>` for the subject's possessive and `<they>` for its pronoun:
"[{walk}|{stroll}] with <their> head up" gives "strolls with her head up".
"""

from __future__ import annotations

import re

import numpy as np

Rules = dict[str, list[str]]

RULE = re.compile(r"<(?!their>|they>)([^<>]*)>")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
VERB = re.compile(r"\{([^{}]*)\}")

#: Verbs that double their last consonant before -ing.
DOUBLING = {"run", "jog", "step", "sidestep", "stop", "squat", "sit", "get", "put", "hop", "spin",
            "drop", "trot", "let", "begin", "set", "hit", "jab", "quit", "cut", "skip", "slip", "tap", "nod", "flap",
            "dip", "plop"}  # fmt: skip
IRREGULAR_GERUND = {"lie": "lying", "tiptoe": "tiptoeing"}
IRREGULAR_THIRD = {"have": "has"}

#: Who acts, with the possessive and whether the verb takes -s.
SUBJECTS: tuple[tuple[str, str, bool], ...] = (
    *6 * (("a person", "their", True),), *2 * (("the person", "their", True),), ("someone", "their", True),
    ("somebody", "their", True), ("person", "their", True), ("one person", "their", True),
    ("this person", "their", True), ("a human", "their", True), ("an individual", "their", True),
    ("the character", "their", True), ("the character", "their", True), ("a character", "their", True),
    ("character", "their", True), ("an actor", "their", True), ("the actor", "their", True),
    ("the player", "their", True), ("the subject", "their", True), ("the performer", "their", True),
    ("a kid", "their", True), ("a child", "their", True), ("a pedestrian", "their", True),
    ("a man", "his", True), ("a man", "his", True), ("the man", "his", True), ("man", "his", True),
    ("a guy", "his", True), ("the guy", "his", True), ("a boy", "his", True), ("a male character", "his", True),
    ("a woman", "her", True), ("a woman", "her", True), ("the woman", "her", True), ("woman", "her", True),
    ("a lady", "her", True), ("a girl", "her", True), ("a female character", "her", True), ("the hero", "his", True),
    ("he", "his", True), ("he", "his", True), ("she", "her", True), ("she", "her", True), ("they", "their", False),
    ("the figure", "its", True), ("a figure", "its", True), ("a stick figure", "its", True),
    ("the avatar", "its", True), ("the model", "its", True), ("the human figure", "its", True),
)  # fmt: skip
#: The pronoun for each possessive, in a sentence that is no command.
PRONOUNS = {"their": "they", "his": "he", "her": "she", "its": "it", "your": "you", "the": "they"}


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
    if verb.rpartition("-")[2] in DOUBLING:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + "ing"


def conjugate(phrase: str, form: str) -> str:
    """Verbs of an expanded phrase as "base", "third" or "gerund"."""

    def change(found: re.Match[str]) -> str:
        return third(found[1]) if form == "third" else gerund(found[1]) if form == "gerund" else found[1]

    return VERB.sub(change, phrase)


#: Between two phrases in one verb form; "{gerund}" asks for the second as an -ing form.
JOINERS_2 = (
    *3 * (", then ",), *3 * (" and then ",), *2 * (", and then ",), *2 * (" then ",), *3 * (" and ",),
    *2 * (" before {gerund}",), *2 * (" followed by {gerund}",), ", followed by {gerund}", ", before {gerund}",
    ", after that ", " and after that ", ", afterwards ", " and afterwards ", ", next ", "; then ", ", and ",
    " and subsequently ", ", finally ", " and finally ", ", and next ", ", and after that ",  " and next ",
    ", then, right after, ", " and, once done, ", ", and when done, ", ", thereafter ",
)  # fmt: skip
JOINERS_MORE = (
    *3 * (", ",),
    *3 * (", then ",),
    " then ",
    " and then ",
    ", and then ",
    ", after that ",
    "; then ",
    ", next ",
)
JOINERS_LAST = (
    *2 * (", and finally ",), *2 * (" and then ",), *2 * (", then ",), *2 * (" and ",), ", and ", ", and then ",
    ", finally ", " and finally ", ", and after that ", ", before {gerund}", " before {gerund}", ", and lastly ",
    ", and at last ", " and in the end ", ", followed by {gerund}", ", ",
)  # fmt: skip


def _joined(text: str, joiner: str, words: str, form: str) -> str:
    if joiner.endswith("{gerund}"):
        return text + joiner[: -len("{gerund}")] + conjugate(words, "gerund")
    return text + joiner + conjugate(words, form)


def join(phrases: list[str], form: str, rng: np.random.Generator, *, first: bool = True) -> str:
    """Phrases that follow one another in time, in one verb form; the first may be called so."""
    text = conjugate(phrases[0], form)
    if first and len(phrases) > 1 and rng.random() < 0.12:
        text = f"first {text}" if rng.random() < 0.7 else f"{text} first"
        if len(phrases) == 2:
            return (
                text
                + pick((", then ", " and then ", ", and then ", ", after that "), rng)
                + conjugate(phrases[1], form)
            )
    if len(phrases) == 2:
        return _joined(text, pick(JOINERS_2, rng), phrases[1], form)
    if len(phrases) > 2:
        between = pick(JOINERS_MORE, rng)
        for words in phrases[1:-1]:
            text = _joined(text, between, words, form)
        text = _joined(text, pick(JOINERS_LAST, rng), phrases[-1], form)
    return text


def _turned_around(phrases: list[str], subject: str, form: str, rng: np.random.Generator) -> str:
    """A sequence whose first action is named in a clause of its own, before or after the rest."""
    first, rest = conjugate(phrases[0], "gerund"), join(phrases[1:], form, rng, first=False)
    who = f"{subject} " if subject else ""
    if len(phrases) == 2 and rng.random() < 0.3:
        second = conjugate(phrases[1], "gerund")
        if "," not in rest and rng.random() < 0.6:
            return f"{who}{rest} {pick(('after', 'after', 'after first', 'right after'), rng)} {first}"
        return f"before {second}, {who}{conjugate(phrases[0], form)}"
    opening = pick(
        (
            "after {}",
            "after {}",
            "after first {}",
            "having finished {}",
            "once done {}",
            "when finished {}",
            "upon {}",
        ),
        rng,
    )
    return f"{opening.format(first)}, {who}{rest}"


def _in_sentences(phrases: list[str], subject: str, pronoun: str, form: str, rng: np.random.Generator) -> str:
    """A sequence in two sentences; the second is about the same one, called by the pronoun."""
    again = form if pronoun not in ("they", "you") else "base"
    rest = join(phrases[1:], again if subject else form, rng, first=False)
    who = f"{pronoun} " if subject else ""
    opening = pick(
        (f"then {who}", f"then {who}", f"after that, {who}", f"next, {who}", f"afterwards, {who}",
         f"{who}then ", f"finally, {who}" if len(phrases) == 2 else f"after that {who}"), rng)  # fmt: skip
    between = pick((". ", ". ", "; "), rng)
    first = conjugate(phrases[0], form)
    return f"{f'{subject} ' if subject else ''}{first}{between}{opening}{rest}"


def _told(phrases: list[str], subject: str, pronoun: str, form: str, rng: np.random.Generator) -> str:
    """A finite sentence, or a command where there is no subject."""
    chance = rng.random()
    if len(phrases) > 1 and chance < 0.1:
        return _turned_around(phrases, subject, form, rng)
    if len(phrases) > 1 and chance < 0.2:
        return _in_sentences(phrases, subject, pronoun, form, rng)
    return f"{subject} {join(phrases, form, rng)}".strip()


_MAKING = (
    "make {} ",
    "have {} ",
    "let {} ",
    "I want {} to ",
    "I need {} to ",
    "animate {} to ",
    "get {} to ",
)
_SHOWING = ("animation of {} ", "an animation of {} ", "a clip of {} ", "motion of {} ", "show {} ", "we see {} ",
            "{} can be seen ", "video of {} ", "make an animation of {} ")  # fmt: skip
_OBJECTS = {"he": "him", "she": "her", "they": "them"}


def sentence(phrases: list[str], rng: np.random.Generator) -> str:
    """A sentence about expanded phrases in time order.

    With a subject, about someone made or seen to do it, as a command, as a bare -ing form or without a subject.
    """
    chance = rng.random()
    subject, possessive, singular = SUBJECTS[int(rng.integers(len(SUBJECTS)))]
    if chance < 0.46:  # a person walks / they walk
        form = "third" if singular else "base"
        text = _told(phrases, subject, PRONOUNS[possessive], form, rng)
    elif chance < 0.58:  # a person is walking
        text = f"{subject} {'is' if singular else 'are'} {join(phrases, 'gerund', rng)}"
    elif chance < 0.62:  # make a person walk
        text = pick(_MAKING, rng).format(_OBJECTS.get(subject, subject)) + join(phrases, "base", rng)
    elif chance < 0.67:  # an animation of a person walking
        opening = pick(_SHOWING, rng)
        who = subject if opening.startswith("{}") else _OBJECTS.get(subject, subject)
        text = opening.format(who) + join(phrases, "gerund", rng)
    elif chance < 0.86:  # walk forward
        possessive = pick(("your", "the", "the"), rng)
        asking = pick((*8 * ("",), "please ", "now "), rng)
        text = asking + join(phrases, "base", rng) if asking else _told(phrases, "", "you", "base", rng)
        text = text.replace("<they>", "you")
    elif chance < 0.95:  # walking forward
        possessive = pick(("the", "their", "his", "her"), rng)
        text = join(phrases, "gerund", rng)
    else:  # walks forward
        possessive = pick(("the", "their", "his", "her"), rng)
        text = join(phrases, "third", rng)
    text = text.replace("<their>", possessive).replace("<they>", PRONOUNS[possessive])
    return text + pick(("", "", "."), rng)
