"""What key-frame masking, the masking ratio and the alignment are worth: generators trained at equal budget.

    python benchmarks/ablations.py --data FOLDER --runs FOLDER [--steps 1200] [--batch 32] [--evaluator FILE]

Every variant, smaller than the released model, is trained from the same start on the tokenizer of the weights that
the recipe is named after, with the same batches; a run can be killed and resumed. Prints for each, as it is done, its
validation loss (masked in one way for all), what `kmm evaluate directions` says, and, with an evaluator, the papers'
figures on the test split.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from kmm.evaluation import directions, motion
from kmm.evaluation import evaluator as judges
from kmm.evaluation.generating import generator
from kmm.model import weights as wt
from kmm.model.pipeline import Pipeline
from kmm.model.tokenizer import Tokenizer
from kmm.training import run
from kmm.training.generator import Objective
from kmm.training.recipe import GeneratorSection, ModelRecipe, Sizes, load_recipe
from kmm.training.segments import Segments
from msgspec.structs import replace

VARIANTS = {
    "as shipped: half key frames, cosine ratio": Objective(),
    "random masking": Objective(key_frames=0.0),
    "key frames only": Objective(key_frames=1.0),
    "no alignment": Objective(alignment=0.0),
    "ratio 0.3": Objective(masked=0.3),
    "ratio 0.5": Objective(masked=0.5),
    "ratio 0.8": Objective(masked=0.8),
}
#: Less work than the released model, fewer joined motions and wordings, and an average of the weights that keeps up
#: with so few steps, so that seven trainings take an hour of one core.
SMALLER = {
    "size": Sizes(width=128, depth=3, residual_depth=2),
    "joined": 1500,
    "wordings": 4,
    "ema": 0.995,
    "learning_rate": 1e-3,
}
FIGURES = ("R-precision top 3", "FID", "MM-dist", "diversity")


def train(
    variant: str,
    recipe: ModelRecipe,
    section: GeneratorSection,
    segments: dict[str, Segments],
    tokenizer: Tokenizer,
    folder: Path,
) -> tuple[Path, float]:
    """The weights folder of a variant, and its validation loss on masked tokens."""
    runs = folder / variant.split(":")[0].replace(" ", "-")
    section = replace(section, objective=VARIANTS[variant])
    generator = run.train_generator(section, segments, tokenizer, runs)
    wt.save(runs / "weights", tokenizer, generator, recipe.licence, wt.Sampling())
    last = json.loads((runs / "generator.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return runs / "weights", float(last["val_tokens"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--recipe", default="kmm-open")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--evaluator", type=Path)
    options = parser.parse_args()
    judge = judges.Judge(judges.load(options.evaluator)) if options.evaluator else None
    recipe = load_recipe(options.recipe)
    assert isinstance(recipe, ModelRecipe), "give the recipe of a model"
    section = replace(recipe.generator, init=None, steps=options.steps, batch=options.batch, **SMALLER)
    tokenizer = wt.load(options.recipe, torch.device("cpu")).tokenizer
    segments = run.prepare(section, run.recordings(recipe, options.data), tokenizer, options.runs)
    heads = ["variant", "validation loss", "directions", *(FIGURES if judge else ())]
    print(f"{options.recipe}, {options.steps} steps of {options.batch} each, {options.seeds} seeds")
    print("| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", sep="\n", flush=True)
    for variant in VARIANTS:
        folder, loss = train(variant, recipe, section, segments, tokenizer, options.runs)
        pipeline = Pipeline.load(str(folder))
        told = directions.score(generator(pipeline), range(options.seeds))["overall"].rate
        row = f"| {variant} | {loss:.3f} | {told} |"
        if judge is not None:
            test = motion.split_of(options.recipe, options.data, "test")
            judged = motion.evaluate(generator(pipeline), judge, test, options.seeds)
            row += "".join(f" {judged.figures[f][0]} |" for f in FIGURES)
        print(row, flush=True)


if __name__ == "__main__":
    main()
