"""Training examples: every timed caption of every recording, with a fixed list of different wordings each.

Text embeddings are computed once and kept, so the wordings of a segment are drawn here once, not in training.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np

from kmm.data.actions import Action, turn_size
from kmm.data.annotate import Segment, segments
from kmm.data.grammar import SUBJECTS, pick
from kmm.data.records import Recording
from kmm.data.sentences import TURNS, corner, there_and_back
from kmm.data.wording import describe, side_of

#: The sets' action labels that are one kind of action over the whole clip, so that its wordings apply.
LABELS = {
    "raise left hand": "raise_lower_left",
    "raise right hand": "raise_lower_right",
    "raise both hands": "raise_lower_both",
    "wave left hand": "wave_left",
    "wave right hand": "wave_right",
    "wave both hands": "wave_both",
    "bow": "bow",
    "squat": "squat",
    "front kick left": "kick_left",
    "lie down": "lie_down",
    "run": "run_forward",
    "sprint": "run_forward",
    "walk backward": "walk_backward",
}


#: First word of a set's label -> beginning of kinds that cannot be meant: a slow wave looks like raising and
#: lowering an arm, a lame jog like a walk.
OPPOSED = {"wave": "raise_lower", "run": "walk", "jog": "walk", "sprint": "walk", "walk": "run"}


class Example(TypedDict):
    """Frames [start, end) of recordings[recording] are described by each of `texts`.

    origin: "motion" (read from the motion) or whoever wrote the recording's own text. kind: label for balanced
    sampling, "sequence" for two or three actions in a row, "own" labels prefixed so. actions: the kinds in order.
    """

    recording: int
    start: int
    end: int
    texts: list[str]
    origin: str
    kind: str
    actions: tuple[str, ...]


def build_captions(recordings: Iterable[Recording], wordings: int = 6, seed: int = 0) -> list[Example]:
    """Examples of all recordings, at most `wordings` texts each; the same input and seed give the same words."""
    return [
        example
        for index, recording in enumerate(recordings)
        for example in [*_own(index, recording, wordings, seed), *_motion(index, recording, wordings, seed)]
    ]


def _agreeing(recording: Recording) -> list[Segment]:
    """Segments that the set's own label does not contradict."""
    against = OPPOSED.get((recording.action or "").partition(" ")[0])
    return [
        x
        for x in segments(recording.clip)
        if against is None or not any(a.kind.startswith(against) for a in x.actions)
    ]


def _contradicted(recording: Recording) -> bool:
    """A label that names one side where the motion turns only to the other: a few files are labelled wrongly."""
    label = recording.action or ""
    if not label.startswith("walk turn"):
        return False
    turns = {side_of(a.kind) for x in segments(recording.clip) for a in x.actions if "turn" in a.kind}
    return len(turns) == 1 and side_of(label.replace(" ", "_")) not in turns


def _generator(recording: Recording, seed: int, number: int) -> np.random.Generator:
    name = zlib.crc32(f"{recording.set}/{recording.id}".encode())
    return np.random.default_rng([seed, name, number])


def _describe(segment: Segment, recording: Recording, rng: np.random.Generator) -> str:
    return describe(
        segment.actions, rng, meanwhile=segment.meanwhile, style=recording.style, activity=recording.action
    )


def _distinct(draw: Sequence[str] | None, make, count: int) -> list[str]:  # type: ignore[no-untyped-def]
    texts = list(dict.fromkeys(draw or ()))[:count]
    for _ in range(4 * count):
        if len(texts) >= count:
            break
        text = make()
        if text not in texts:
            texts.append(text)
    return texts


def _motion(index: int, recording: Recording, wordings: int, seed: int) -> list[Example]:
    found: list[Example] = []
    for number, segment in enumerate(_agreeing(recording)):
        rng = _generator(recording, seed, number)

        def make(segment: Segment = segment, rng: np.random.Generator = rng) -> str:
            return _describe(segment, recording, rng)

        names = tuple(a.kind for a in segment.actions)
        if segment.meanwhile is not None:
            names = (*names, segment.meanwhile.kind)
        found.append(
            Example(
                recording=index,
                start=segment.start,
                end=segment.end,
                texts=_distinct(None, make, wordings),
                origin="motion",
                kind=_kind(segment),
                actions=names,
            )
        )
    return found


def _kind(segment: Segment) -> str:
    """What examples are drawn evenly by: the kind, with how often, how fast and how far where people say so."""
    names = [_fine(a) for a in segment.actions]
    if segment.meanwhile is not None:
        return "meanwhile"
    if len(names) == 1:
        return names[0]
    if (turn := corner(segment.actions)) is not None:
        return turn.kind
    if there_and_back(segment.actions):
        return "there_and_back"
    return " then ".join(names) if set(names) == {"walk_forward", "stand"} else "sequence"


def _fine(action: Action) -> str:
    kind = action.kind
    if re.match("turn|walk_turn", kind):
        size = turn_size(action.amount)
        return f"{kind} {size}" if size == "180" or (size in TURNS and kind.startswith("turn")) else kind
    if action.count > 1 and re.fullmatch(
        "walk_forward|jump|jump_forward|squat|(kick|punch)_(left|right)", kind
    ):
        return f"{kind} {min(action.count, 5)}"
    return f"{kind} {action.speed}".strip() if kind in ("walk_forward", "run_forward") else kind


def _own(index: int, recording: Recording, wordings: int, seed: int) -> list[Example]:
    """The own texts by time range: texts that describe the same frames are wordings of one example."""
    ranges: dict[tuple[int, int, str], list[str]] = {}
    for caption in recording.texts:
        ranges.setdefault((caption.start, caption.end, caption.origin), []).append(caption.text)
    label = LABELS.get(recording.action or "")
    found: list[Example] = []
    for number, ((start, end, origin), texts) in enumerate(ranges.items()):
        if _contradicted(recording):
            continue
        rng = _generator(recording, seed, 100_000 + number)
        whole = start == 0 and end == len(recording.clip)

        def make(
            texts: list[str] = texts,
            rng: np.random.Generator = rng,
            start: int = start,
            end: int = end,
            whole: bool = whole,
        ) -> str:
            if label and whole and rng.random() < 0.7:
                return describe([Action(label, start, end)], rng, style=recording.style)
            return reworded(pick(texts, rng), rng)

        found.append(
            Example(
                recording=index,
                start=start,
                end=end,
                texts=_distinct(texts, make, wordings),
                origin=origin,
                kind=label if label and whole else f"own {recording.action or recording.set}",
                actions=(label,) if label and whole else (),
            )
        )
    return found


_SUBJECT = re.compile(
    r"^(a person|someone|the person|a man|person)\b(?= (?:is )?[a-z]+(?:s|ing)\b)", re.IGNORECASE
)


def reworded(text: str, rng: np.random.Generator) -> str:
    """The same sentence about another subject, with or without the full stop; sentences it cannot parse stay."""
    subjects = [name for name, possessive, singular in SUBJECTS if singular and possessive == "their"]
    text = _SUBJECT.sub(lambda _: pick(subjects, rng), text.strip())
    return text.rstrip(".") + pick(("", "."), rng)
