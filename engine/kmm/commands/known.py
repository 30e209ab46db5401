"""`kmm evaluate known`: write beside weights what their users should know of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kmm.commands.common import Weights, load_pipeline, one_sentence


def known(
    data: Annotated[Path, typer.Option(help="Folder of the training set.")],
    weights: Weights = "kmm-open",
    recipe: Annotated[
        str | None, typer.Option(help="Whose sets to use; by default the recipe named as the weights.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many motions of a prompt must be right.")] = 3,
) -> None:
    """Write beside the weights the prompts that come out right with every seed, and the captions of training.

    Blender offers the first as presets; by the second it hints at prompts that are far from what the weights know.
    """
    with one_sentence():
        pipeline = load_pipeline(weights, "cpu")
        from kmm.data.records import in_split
        from kmm.evaluation import known
        from kmm.evaluation.generating import generator
        from kmm.model import known_prompts
        from kmm.model import weights as wt
        from kmm.training import run
        from kmm.training.recipe import load_recipe

        folder, name = wt.find(weights), recipe or pipeline.name
        recordings = run.recordings(load_recipe(name), data)
        train, val, test = (in_split(recordings, split) for split in ("train", "val", "test"))
        known.familiarity(pipeline.embed, train, [*val, *test]).save(folder, pipeline.sha256)
        found = known.prompts(generator(pipeline), range(seeds))
        known_prompts.write(folder, pipeline.sha256, found)
    count = sum(map(len, found.values()))
    print(f"{folder}: {count} prompts of {len(found)} kinds come out right with all of {seeds} seeds")
