"""Do the predicates that judge generated motion pass real motion that surely does what they ask?

    python benchmarks/directions.py --real FOLDER

Tries each predicate on the clips of the training set whose own label is that kind, on those of the other side, and on
those of all other labels. What a model does is told by `kmm evaluate directions`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from kmm.clip import Clip
from kmm.data.records import Recording, read_shared
from kmm.data.signals import Signals, signals
from kmm.data.wording import swap_left_right
from kmm.evaluation import predicates
from kmm.evaluation.directions import KINDS

#: kind -> labels of the sets' clips that surely show it from beginning to end; sides are for the left.
LABELS = {
    "walk forward": r"walk( forward)?$",
    "walk slowly": r"walk slowly",
    "walk fast": r"walk fast",
    "run": r"(run|sprint|run forward)$",
    "walk backward": r"walk backward",
    "run backward": r"run backward",
    "walk diagonally to the left": r"walk diagonally left",
    "walk and turn left": r"walk turn left|jog in a left circle",
    "stand": r"stand idle|bored",
    "walk in place": r"walk in place",
    "jump": r"jump( high)?$|hop on both legs",
    "jump forward": r"jump forward",
    "squat": r"squat",
    "sit": r"sit( and talk| down)?$",
    "lie down": r"lie down",
    "bow": r"bow",
    "bend down to the floor": r"put down on floor|pick up",
    "raise the left arm": r"raise left hand",
    "raise both arms": r"raise both hands",
    "wave with the left hand": r"wave left hand",
    "kick with the left leg": r"front kick left",
    "punch with the left hand": r"punch left",
}


def labelled(recordings: list[Recording]) -> Iterator[tuple[str, str, Signals, Signals]]:
    """Kind (of the left side), side, and signals as they are and mirrored; of long clips the middle."""
    for recording in recordings:
        label = recording.action or ""
        for kind, pattern in LABELS.items():
            for side, said in (("left", label), ("right", swap_left_right(label))):
                if side == "right" and swap_left_right(kind) == kind:
                    continue
                if re.match(pattern, said):
                    clip = middle(recording.clip, 2.5 * KINDS[kind]["seconds"])
                    yield kind, side, signals(clip), signals(clip.mirror())


def middle(clip: Clip, seconds: float) -> Clip:
    """At most so many seconds: a take of a minute turns at the ends of the room."""
    spare = max(0, len(clip) - round(seconds * clip.fps))
    return clip.slice(spare // 2, len(clip) - spare // 2)


def real(folder: str) -> None:
    found = list(labelled(list(read_shared(folder))))
    print(f"{'kind':30} {'clips':>5} {'pass':>6}  {'other side':>10}  most often of other labels")
    for kind in LABELS:
        passes = getattr(predicates, KINDS[kind]["passes"])
        own = [passes(s if side == "left" else m) for k, side, s, m in found if k == kind]
        sided = swap_left_right(kind) != kind
        wrong = [passes(m if side == "left" else s) for k, side, s, m in found if k == kind] if sided else []
        others = {}
        for other in LABELS:
            if other != kind:
                hits = [passes(s) for k, _, s, _ in found if k == other]
                others[other] = sum(hits) / max(1, len(hits))
        worst = sorted(others.items(), key=lambda x: -x[1])[:3]
        print(
            f"{kind:30} {len(own):5} {sum(own) / max(1, len(own)):6.0%}  "
            f"{f'{sum(wrong) / max(1, len(wrong)):.0%}' if sided else '':>10}  "
            + ", ".join(f"{k} {v:.0%}" for k, v in worst if v > 0)
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", metavar="FOLDER", required=True, help="folder of the training set")
    real(parser.parse_args().real)


if __name__ == "__main__":
    main()
