"""How often what the annotator reads from the motion agrees with what people wrote about it.

    python -m kmm.data.check_annotations <folder of the training set>

For each word: in how many recordings the annotator says it; in how many of those the recording's own texts say it
too (agree), say its opposite and not it (against), or say neither (silent); precision = agree / (agree + against);
recall = agree / recordings whose own texts say it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from kmm.data.annotate import actions
from kmm.data.records import Recording, read_shared
from kmm.data.signals import signals


@dataclass(frozen=True)
class Word:
    """kinds: which kinds of action say the word; said, opposite: patterns in people's texts."""

    name: str
    kinds: str
    said: str
    opposite: str


LIMB = "hand|arm|leg|foot|fist"
ARMS = r"|\braises?\b|waves?"
GOES = r"\bwalks?\b|\bruns?\b"
TURNED = r"turn|circle|curv|spin|pirouette|around|rotat|whirl|directions"
STILL = r"\b(stands?|idle|raises?|lifts?|waves?|waving|bows?|drinks?|squats?)\b"
WORDS = (
    Word(
        "walk",
        r"walk_(?!in)",
        r"walk|stroll|sneak|tiptoe",
        r"\b(run|runs|running|jog|jogs|sprints?)\b|" + STILL,
    ),
    Word("run", r"run_", r"\brun|jog|sprint|dash", r"\bwalk|" + STILL),
    Word(
        "forward",
        r"(walk|run)_forward",
        r"forward|\bwalks?\b|\bruns?\b|walking|running|jogs",
        r"backward|sideways|in place",
    ),
    Word("backward", r"(walk|run)_backward", r"back(ward|wards)?\b", r"\bforward"),
    Word("sideways", r"(walk|run)_(left|right)$", r"sideways|side|all directions", r"(walks?|runs?) forward"),
    Word("diagonally", r"(walk|run)_diagonal", r"diagonal|sideways", r"(walks?|runs?) forward|backward"),
    Word(
        "turn left",
        r"(turn|circle|halfcircle|curve)_left",
        r"left|counter|anticlockwise",
        r"right|\bclockwise",
    ),
    Word(
        "turn right",
        r"(turn|circle|halfcircle|curve)_right",
        r"right|\bclockwise",
        r"left|counter|anticlockwise",
    ),
    Word("turn", r"(turn|circle|halfcircle)_", TURNED, r"straight|walking forward|" + STILL),
    Word("jump", r"jump", r"jump|hop|leap|shoots a basketball|cheer", r"\bwalk|\bruns?\b|" + STILL),
    Word("jump forward", r"jump_forward", r"forward|hop|far", r"high|turn"),
    Word("squat", r"squat", r"squat|crouch|bend|put|floor", r"\bwalk|\bruns?\b|\braises?\b|waves?"),
    Word("crouch", r"(crouch|crouch_down)$", r"crouch|squat|karate|kick|block|punch", GOES + ARMS),
    Word("sit", r"sit", r"\bsit", r"\bwalks?\b|\bruns?\b|\braises?\b|waves?|dance"),
    Word("kneel", r"kneel", r"kneel|karate", r"\bwalks?\b|\bruns?\b|squat|\braises?\b|waves?"),
    Word("lie", r"lie", r"\blie|dead|asleep", r"\bwalks?\b|\bruns?\b|crawl|push-up|swim"),
    Word("bow, bend", r"bow|bend_down", r"\bbow|bend|pick|puts|scoop|wash|lean|tired|laugh", GOES + ARMS),
    Word("stand", r"stand", r"stand|idle|bow|drink|raise|wave|wait|bored|balance", GOES),
    Word(
        "raise left",
        r"(raise|wave|raise_lower|lower)_left",
        rf"left ({LIMB}|elbow)|both (hands|arms)",
        rf"right ({LIMB})",
    ),
    Word(
        "raise right",
        r"(raise|wave|raise_lower|lower)_right",
        rf"right ({LIMB})|both (hands|arms)",
        rf"left ({LIMB})",
    ),
    Word(
        "raise both",
        r"(raise|wave|raise_lower|lower)_both",
        r"both (hands|arms)|arms|basketball",
        rf"(left|right) ({LIMB})",
    ),
    Word("wave", r"wave_", r"\bwav", r"\braises?\b|\blifts?\b"),
    Word("kick left", r"kick_left", r"kick", r"kick.*right|\bwalks?\b|\bruns?\b"),
    Word("kick right", r"kick_right", r"kick|karate", r"kick.*left|\bwalks?\b|\bruns?\b"),
    Word(
        "punch",
        r"punch_",
        r"punch|box|jab|fight|karate|block|strike",
        r"\bwalks?\b|\bruns?\b|\braises?\b|waves?|kick",
    ),
)


@dataclass
class Tally:
    """Counts of recordings for one word."""

    agree: int = 0
    against: int = 0
    silent: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.agree / max(1, self.agree + self.against)

    @property
    def recall(self) -> float:
        return self.agree / max(1, self.agree + self.missed)


def check(recordings: Iterable[Recording]) -> tuple[dict[str, Tally], list[str]]:
    """A tally for each word, and a line for each recording whose texts say the opposite."""
    tallies = {word.name: Tally() for word in WORDS}
    disputes = []
    for recording in recordings:
        kinds = [a.kind for a in actions(signals(recording.clip))]
        texts = " | ".join(t.text.lower() for t in recording.texts)
        for word in WORDS:
            found = any(re.match(word.kinds, k) or re.search("_" + word.kinds, k) for k in kinds)
            said, opposite = re.search(word.said, texts), re.search(word.opposite, texts)
            tally = tallies[word.name]
            if found and said:
                tally.agree += 1
            elif found and opposite:
                tally.against += 1
                disputes.append(f"{word.name}: {recording.set} {recording.id}: {texts[:90]}")
            elif found:
                tally.silent += 1
            elif said:
                tally.missed += 1
    return tallies, disputes


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m kmm.data.check_annotations <folder that holds clips.jsonl>")
    tallies, disputes = check(read_shared(sys.argv[1]))
    print("\n".join(disputes))
    print(f"{'word':14} {'agree':>6} {'against':>7} {'silent':>6} {'precision':>9} {'recall':>7}")
    for name, t in tallies.items():
        print(f"{name:14} {t.agree:6} {t.against:7} {t.silent:6} {t.precision:9.3f} {t.recall:7.3f}")


if __name__ == "__main__":
    main()
