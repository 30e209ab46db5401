"""`kmm train`: data, recipe and stages put together; from motion to a weights folder in one call."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import torch

from kmm.data import folders
from kmm.data.examples import build_captions
from kmm.data.joining import join
from kmm.data.records import Recording, commercial_only, in_split
from kmm.model import weights as wt
from kmm.model.generator import Generator, GeneratorConfig
from kmm.model.text import MINILM, TextEncoder
from kmm.model.tokenizer import Tokenizer
from kmm.training.generator import GeneratorStage, Objective
from kmm.training.loop import LoopConfig, run
from kmm.training.segments import Segments, TokenBank
from kmm.training.store import Store
from kmm.training.tokenizer import TokenizerStage

RECIPES = Path(__file__).parent / "recipes"
WORDINGS = 8  #: texts a caption is said in, unless the recipe says


def load_recipe(name: str) -> dict[str, Any]:
    """A recipe by name (a file in kmm/training/recipes) or by path; ValueError says what is wrong."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise ValueError(f"There is no recipe {name!r}; give a .toml file or one of: {known}.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"The recipe {path} is not valid TOML: {error}.") from error


def loop_config(section: dict[str, Any]) -> LoopConfig:
    """The loop's part of a recipe section."""
    return LoopConfig(**{k: v for k, v in section.items() if k in LoopConfig.__dataclass_fields__})


def recordings(recipe: dict[str, Any], data: Path) -> list[Recording]:
    """The recordings a recipe may use; says which were left out or mended, and why."""
    found = folders.read(data)
    for problem in found.problems:
        print(f"left out: {problem}", flush=True)
    for what in found.mended:
        print(what, flush=True)
    usable = commercial_only(found) if recipe.get("commercial_only") else list(found)
    for split in ("train", "val"):
        if not in_split(usable, split):
            raise ValueError(
                f"{data} has no motion for the split {split!r} that this recipe may use: `kmm data check` lists them."
            )
    return usable


def train(recipe: dict[str, Any], data: Path, runs: Path, out: Path) -> None:
    """All stages, each resumed from `runs` where it is already there, then the weights folder `out`."""
    items = recordings(recipe, data)
    stores = {split: Store.build(in_split(items, split)) for split in ("train", "val")}
    tokenizer = train_tokenizer(recipe["tokenizer"], stores, runs)
    segments = prepare(recipe["generator"], items, tokenizer)
    generator = train_generator(recipe["generator"], segments, tokenizer, runs)
    wt.save(out, tokenizer, generator, recipe["licence"], wt.Sampling(**recipe.get("sampling", {})))


def train_tokenizer(section: dict[str, Any], stores: dict[str, Store], runs: Path) -> Tokenizer:
    """Stage 1. `section["init"]`: a weights folder to start from, normalisation included."""
    if "init" in section:
        module = wt.load(section["init"], torch.device("cpu")).tokenizer.requires_grad_(True)
    else:
        module = Tokenizer()
        mean, std = stores["train"].normalization()
        module.mean.copy_(torch.from_numpy(mean))
        module.std.copy_(torch.from_numpy(std))
    stage = TokenizerStage(module, stores["train"], stores["val"], section["batch"])
    trained = run(stage, loop_config(section), runs)
    assert isinstance(trained, Tokenizer)
    return trained


def prepare(section: dict[str, Any], items: list[Recording], tokenizer: Tokenizer) -> dict[str, Segments]:
    """What a generator is trained and validated on, by split.

    `section["joined"]`: how many motions to join from the training split's pieces; `section["wordings"]`: texts a
    caption is said in; `section["text_encoder"]`: a folder with another text encoder, for example CLIP.
    """
    encoder = TextEncoder(section.get("text_encoder", MINILM))
    splits = {split: in_split(items, split) for split in ("train", "val")}
    splits["train"] = splits["train"] + join(splits["train"], section.get("joined", 0))
    return {
        split: Segments(
            build_captions(members, section.get("wordings", WORDINGS)),
            TokenBank(tokenizer, Store.build(members)),
            encoder,
        )
        for split, members in splits.items()
    }


def train_generator(
    section: dict[str, Any], segments: dict[str, Segments], tokenizer: Tokenizer, runs: Path
) -> Generator:
    """Stage 2, on a trained tokenizer's tokens.

    `section["init"]`: a weights folder to start from, else `section["size"]`: sizes that differ from the default's.
    """
    encoder = segments["train"].texts.encoder
    if "init" in section:
        module = wt.load(section["init"], torch.device("cpu")).generator.requires_grad_(True)
    else:
        torch.manual_seed(section.get("seed", 0))
        size = section.get("size", {})
        module = Generator(GeneratorConfig(text_dim=encoder.dim, text_encoder=encoder.source, **size))
    module.codebooks.copy_(tokenizer.quantizer.codebooks)
    objective = Objective(**section.get("objective", {}))
    stage = GeneratorStage(module, segments["train"], segments["val"], section["batch"], objective)
    trained = run(stage, loop_config(section), runs)
    assert isinstance(trained, Generator)
    return trained
