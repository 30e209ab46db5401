"""Does the motion do what the text says? Judged by physics on the joints, not by a network.

Every check is a prompt of prompts.toml and a predicate of predicates.py over what was made: where the body went in
its own frame, how far and to which side it turned, how high pelvis, feet and wrists were.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from kmm.clip import FPS, Clip
from kmm.data.signals import Signals, signals
from kmm.data.wording import swap_left_right
from kmm.evaluation import predicates
from kmm.evaluation.generating import Generate
from kmm.evaluation.intervals import Estimate, estimate

#: kind -> what prompts.toml says of it.
KINDS = tomllib.loads(files("kmm.evaluation").joinpath("prompts.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Check:
    """A prompt, how long a motion to ask for, and what must be true of it."""

    kind: str
    prompt: str
    passes: Callable[[Signals], bool]
    seconds: float = 4.0
    mirror: bool = False  #: the predicate is about the mirrored motion

    def mirrored(self) -> Check:
        """The same for the other side."""
        kind, prompt = swap_left_right(self.kind), swap_left_right(self.prompt)
        return Check(kind, prompt, self.passes, self.seconds, not self.mirror)

    def judge(self, clip: Clip) -> bool:
        return bool(self.passes(signals(clip.mirror() if self.mirror else clip)))

    def ask(self, generate: Generate, seed: int) -> bool:
        return self.judge(generate([(self.prompt, round(self.seconds * FPS))], seed))


@dataclass(frozen=True)
class Comparison:
    """Two prompts, and what must be true of both motions together."""

    kind: str
    prompt: str
    than: str
    passes: Callable[[Signals, Signals], bool]
    seconds: float = 4.0

    def judge(self, clip: Clip, other: Clip) -> bool:
        return bool(self.passes(signals(clip), signals(other)))

    def ask(self, generate: Generate, seed: int) -> bool:
        frames = round(self.seconds * FPS)
        return self.judge(generate([(self.prompt, frames)], seed), generate([(self.than, frames)], seed))


def checks() -> Iterator[Check | Comparison]:
    """Every check, both sides where there are sides."""
    for kind, about in KINDS.items():
        passes = getattr(predicates, about["passes"])
        for prompt in about.get("prompts", ()):
            check = Check(kind, prompt, passes, about["seconds"])
            yield check
            if swap_left_right(kind) != kind:
                yield check.mirrored()
        for prompt, than in about.get("pairs", ()):
            yield Comparison(kind, prompt, than, passes, about["seconds"])


Row = tuple[str, list[bool]]  #: a prompt, and with which seeds it came out right


@dataclass(frozen=True)
class Tally:
    """How many motions did what their prompt said: of a kind, or overall."""

    passed: tuple[int, ...]  #: for each seed
    asked: int  #: prompts, of which every seed made a motion
    never: tuple[str, ...] = ()  #: prompts that came out right with no seed

    @property
    def rate(self) -> Estimate:
        """Share of motions, with its interval over seeds."""
        return estimate([p / self.asked for p in self.passed])


def noise(check: Check | Comparison, seed: int) -> int:
    """The generator's seed for a check. Prompts of a kind that share their noise come out alike and fail together:
    a kind would be judged by as many motions as there are seeds, not as there are prompts and seeds."""
    return zlib.crc32(f"{seed} {check.prompt}".encode())


def score(
    generate: Generate, seeds: Iterable[int], chosen: Iterable[Check | Comparison] | None = None
) -> dict[str, Tally]:
    """A tally for each kind, over all its prompts; "overall" is the last. Every prompt draws noise of its own."""
    passed: dict[str, list[Row]] = {}
    seeds = list(seeds)
    for check in checks() if chosen is None else chosen:
        row = check.prompt, [check.ask(generate, noise(check, seed)) for seed in seeds]
        passed.setdefault(check.kind, []).append(row)
    tallies = {kind: _tally(rows) for kind, rows in passed.items()}
    return {**tallies, "overall": _tally([row for rows in passed.values() for row in rows])}


def _tally(rows: list[Row]) -> Tally:
    columns = zip(*(row for _, row in rows), strict=True)
    never = tuple(prompt for prompt, row in rows if not any(row))
    return Tally(tuple(sum(column) for column in columns), len(rows), never)


def table(tallies: dict[str, Tally]) -> str:
    """The tallies as lines of text."""
    width = max(map(len, tallies))
    lines = [
        f"{kind:{width}}  {sum(t.passed):4} of {len(t.passed) * t.asked:4}  {t.rate.mean:6.1%}"
        for kind, t in tallies.items()
    ]
    overall = tallies["overall"]
    spread, seeds = overall.rate.half_width, len(overall.passed)
    if spread < 1:
        lines[-1] += f" +- {spread:.1%}"
    if overall.never and seeds > 1:
        missed = seeds * overall.asked - sum(overall.passed)
        share = f"{seeds * len(overall.never)} of {missed} that failed"
        lines += [
            f"Right with none of {seeds} seeds ({share}):",
            *(f"- {prompt}" for prompt in overall.never),
        ]
    return "\n".join(lines)
