"""What prompts give that the sets hold next to nothing of: how near they are to training, and what is made.

    python benchmarks/beyond.py [WEIGHTS]

What is made is read from the motion by the annotator (`kmm.data.annotate`), as the training captions are.
"""

from __future__ import annotations

import argparse
from collections import Counter

from kmm.clip import FPS
from kmm.data.annotate import segments
from kmm.model.pipeline import Pipeline
from kmm.protocol import PromptSegment

SEEDS, SECONDS = 5, 4.0
SHOWN = 3  #: kinds of what is made that are named, the longest first
PROMPTS = (
    "a person plays the guitar",
    "someone plays the piano",
    "a man talks on the phone",
    "a golfer swings his club",
    "she serves a tennis ball",
    "a soldier salutes",
    "he limps with a hurt leg",
    "someone rides a bicycle",
    "a woman hugs her friend",
    "a worker carries a heavy box",
    "a person swims",
    "he climbs up a ladder",
    "a gymnast does a cartwheel",
    "someone crawls on hands and knees",
    "an archer draws his bow",
    "she types at a desk",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", nargs="?", default="kmm-open")
    pipeline = Pipeline.load(parser.parse_args().weights)
    print(f"{pipeline.name}, {SEEDS} seeds, {SECONDS:g} s each\n")
    print("| prompt | captions that are further from training | what is made, share of the time |")
    print("|---|---|---|")
    known = pipeline.familiarity(PROMPTS) or (None,) * len(PROMPTS)
    for prompt, share in zip(PROMPTS, known, strict=True):
        made: Counter[str] = Counter()
        for seed in range(SEEDS):
            clip = pipeline.clip([PromptSegment(prompt, round(SECONDS * FPS))], seed)
            for segment in segments(clip):
                if len(segment.actions) == 1 and segment.meanwhile is None:
                    made[segment.actions[0].kind.replace("_", " ")] += segment.end - segment.start
        total = SEEDS * SECONDS * FPS
        told = ", ".join(f"{kind} {frames / total:.0%}" for kind, frames in made.most_common(SHOWN))
        print(
            f"| {prompt} | {'not known' if share is None else f'{share:.0%}'} | {told or 'nothing with a name'} |"
        )


if __name__ == "__main__":
    main()
