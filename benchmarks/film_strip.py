"""Draw the README's picture: four prompts, one seed, not picked.

python benchmarks/film_strip.py [WEIGHTS] [OUT.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kmm.model.pipeline import Pipeline
from kmm.preview import film_strip_sheet
from kmm.protocol import PromptSegment

PROMPTS = (
    "a person walks forward",
    "a person runs forward",
    "a person walks and turns left",
    "a person walks backwards",
)
FRAMES, SEED = 120, 0


def main(weights: str, out: Path) -> None:
    pipeline = Pipeline.load(weights)
    clips = [pipeline.clip([PromptSegment(prompt, FRAMES)], seed=SEED) for prompt in PROMPTS]
    film_strip_sheet(clips, PROMPTS, out)
    print(f"{out}: {weights}, seed {SEED}, {FRAMES} frames each")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="?", default="kmm-open")
    parser.add_argument("out", nargs="?", type=Path, default=Path("docs/pictures/prompts.png"))
    options = parser.parse_args()
    main(options.weights, options.out)
