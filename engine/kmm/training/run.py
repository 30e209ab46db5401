"""`kmm train`: data, recipe and stages put together."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import torch

from kmm.data.records import Recording, commercial_only, in_split, read_shared
from kmm.model.tokenizer import Tokenizer
from kmm.training.loop import LoopConfig, run
from kmm.training.store import Store
from kmm.training.tokenizer import TokenizerStage

RECIPES = Path(__file__).parent / "recipes"


def load_recipe(name: str) -> dict[str, Any]:
    """A recipe by name (a file in kmm/training/recipes) or by path; ValueError says what is wrong."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise ValueError(f"There is no recipe {name!r}; give a .toml file or one of: {known}.")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def loop_config(section: dict[str, Any]) -> LoopConfig:
    """The loop's part of a recipe section."""
    return LoopConfig(**{k: v for k, v in section.items() if k in LoopConfig.__dataclass_fields__})


def recordings(recipe: dict[str, Any], data: Path) -> list[Recording]:
    """The recordings a recipe may use."""
    found = read_shared(data)
    for problem in found.problems:
        print(f"left out: {problem}", flush=True)
    return commercial_only(found) if recipe.get("commercial_only") else list(found)


def train_tokenizer(recipe: dict[str, Any], items: list[Recording], folder: Path) -> Tokenizer:
    """Stage 1; resumes from `folder`, starts from the recipe's `init` checkpoint if there is one."""
    section = recipe["tokenizer"]
    train, validation = (Store.build(in_split(items, split)) for split in ("train", "val"))
    module = Tokenizer()
    mean, std = train.normalization()
    module.mean.copy_(torch.from_numpy(mean))
    module.std.copy_(torch.from_numpy(std))
    if "init" in section:
        module.load_state_dict(torch.load(section["init"], weights_only=True)["module"])
    stage = TokenizerStage(module, train, validation, section["batch"])
    trained = run(stage, loop_config(section), folder)
    assert isinstance(trained, Tokenizer)
    return trained


if __name__ == "__main__":
    import sys

    torch.set_num_threads(2)
    recipe = load_recipe(sys.argv[1])
    train_tokenizer(recipe, recordings(recipe, Path(sys.argv[2])), Path(sys.argv[3]))
