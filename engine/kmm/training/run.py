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
from kmm.model.tokenizer import FRAMES_PER_TOKEN, Tokenizer
from kmm.training.generator import GeneratorStage, GuidanceStage, Objective
from kmm.training.loop import LoopConfig, run
from kmm.training.segments import Examples, Segments
from kmm.training.store import Store
from kmm.training.token_bank import TokenBank
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
    """All stages, each resumed from `runs` where it is already there, then the weights folder `out`.

    `runs` belongs to one recipe and one `data`: what was prepared or trained there is not made again.
    """
    items = recordings(recipe, data)
    stores = {split: Store.build(in_split(items, split)) for split in ("train", "val")}
    tokenizer = train_tokenizer(recipe["tokenizer"], stores, runs)
    segments = prepare(recipe["generator"], items, tokenizer, runs)
    generator = train_generator(recipe["generator"], segments, tokenizer, runs)
    if "guidance" in recipe:
        generator = train_guidance(recipe["guidance"], segments, generator, runs)
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


def prepare(
    section: dict[str, Any], items: list[Recording], tokenizer: Tokenizer, runs: Path
) -> dict[str, Segments]:
    """What a generator is trained and validated on, by split, kept in `runs`.

    `section["joined"]`: how many motions to join from the training split's pieces; `section["wordings"]`: texts a
    caption is said in; `section["phases"]`: from how many of a clip's first four frames it is cut into tokens;
    `section["text_encoder"]`: a folder with another text encoder, for example CLIP.
    """
    # of the extra `train`: evaluation, which does without, imports this module too
    from accelerate import PartialState

    encoder = TextEncoder(section.get("text_encoder", MINILM), PartialState().device)
    found = {}
    for split in ("train", "val"):
        path = runs / f"segments-{split}.safetensors"
        if path.exists():
            found[split] = Segments.load(path, encoder)
            continue
        members = in_split(items, split)
        if split == "train":
            members += join(members, section.get("joined", 0))
        examples = Examples.of(build_captions(members, section.get("wordings", WORDINGS)), encoder)
        bank = TokenBank.encode(tokenizer, Store.build(members), section.get("phases", FRAMES_PER_TOKEN))
        found[split] = Segments(examples, bank, encoder)
        if PartialState().is_main_process:
            found[split].save(path)
    return found


def train_generator(
    section: dict[str, Any], segments: dict[str, Segments], tokenizer: Tokenizer, runs: Path
) -> Generator:
    """Stage 2, on a trained tokenizer's tokens.

    `section["init"]`: a weights folder to start from, else `section["size"]`: sizes that differ from the default's.
    """
    encoder = segments["train"].encoder
    if "init" in section:
        module = wt.load(section["init"], torch.device("cpu")).generator.requires_grad_(True)
    else:
        torch.manual_seed(section.get("seed", 0))
        size = section.get("size", {})
        module = Generator(GeneratorConfig(text_dim=encoder.dim, text_encoder=encoder.source, **size))
    module.codebooks.copy_(tokenizer.quantizer.codebooks)
    objective = Objective(**section.get("objective", {}))
    stage = GeneratorStage(module, segments["train"], segments["val"], section["batch"], objective)
    return _trained(stage, section, runs)


def train_guidance(
    section: dict[str, Any], segments: dict[str, Segments], generator: Generator, runs: Path
) -> Generator:
    """Stage 3: a trained generator learns to follow the text in one evaluation instead of two."""
    module = generator.requires_grad_(True)
    stage = GuidanceStage(module, segments["train"], segments["val"], section["batch"])
    return _trained(stage, section, runs)


def _trained(stage: GeneratorStage, section: dict[str, Any], runs: Path) -> Generator:
    trained = run(stage, loop_config(section), runs)
    assert isinstance(trained, Generator)
    return trained
