"""`kmm train`: data, recipe and stages put together; from motion to a weights folder in one call."""

from __future__ import annotations

from pathlib import Path

import torch

from kmm.data import folders
from kmm.data.examples import build_captions
from kmm.data.joining import join
from kmm.data.records import Recording, commercial_only, in_split
from kmm.model import weights as wt
from kmm.model.generator import Generator, GeneratorConfig
from kmm.model.text import TextEncoder
from kmm.model.tokenizer import Tokenizer
from kmm.training.generator import GeneratorStage, GuidanceStage
from kmm.training.loop import run
from kmm.training.recipe import (
    DecoderSection,
    GeneratorSection,
    ModelRecipe,
    Recipe,
    Sizes,
    StageSection,
    TokenizerSection,
)
from kmm.training.segments import Examples, Segments
from kmm.training.store import Store
from kmm.training.token_bank import TokenBank
from kmm.training.tokenizer import DecoderStage, TokenizerStage


def recordings(recipe: Recipe, data: Path) -> list[Recording]:
    """The recordings a recipe may use; says which were left out or mended, and why."""
    found = folders.read(data)
    for problem in found.problems:
        print(f"left out: {problem}", flush=True)
    for what in found.mended:
        print(what, flush=True)
    usable = commercial_only(found) if recipe.commercial_only else list(found)
    for split in ("train", "val"):
        if not in_split(usable, split):
            raise ValueError(
                f"{data} has no motion for the split {split!r} that this recipe may use: `kmm data check` lists them."
            )
    return usable


def train(recipe: ModelRecipe, data: Path, runs: Path, out: Path) -> None:
    """All stages, each resumed from `runs` where it is already there, then the weights folder `out`.

    `runs` belongs to one recipe and one `data`: what was prepared or trained there is not made again.
    """
    # what a later stage needs is looked for now: better no training than one that stops after its first stage
    for start in (recipe.tokenizer.init, recipe.generator.init):
        if start is not None:
            wt.find(start)
    TextEncoder(recipe.generator.text_encoder)
    items = recordings(recipe, data)
    stores = {split: Store.build(in_split(items, split)) for split in ("train", "val")}
    tokenizer = train_tokenizer(recipe.tokenizer, stores, runs)
    segments = prepare(recipe.generator, items, tokenizer, runs)
    generator = train_generator(recipe.generator, segments, tokenizer, runs)
    if recipe.guidance is not None:
        generator = train_guidance(recipe.guidance, segments, generator, runs)
    if recipe.decoder is not None:
        tokenizer = train_decoder(recipe.decoder, items, tokenizer, runs)
    wt.save(out, tokenizer, generator, recipe.licence, recipe.sampling.as_sampling())


def train_tokenizer(section: TokenizerSection, stores: dict[str, Store], runs: Path) -> Tokenizer:
    """Stage 1."""
    if section.init is not None:
        module = wt.load(section.init, torch.device("cpu")).tokenizer.requires_grad_(True)
    else:
        module = Tokenizer()
        mean, std = stores["train"].normalization()
        module.mean.copy_(torch.from_numpy(mean))
        module.std.copy_(torch.from_numpy(std))
    stage = TokenizerStage(module, stores["train"], stores["val"], section.batch)
    trained = run(stage, section, runs)
    assert isinstance(trained, Tokenizer)
    return trained


def prepare(
    section: GeneratorSection, items: list[Recording], tokenizer: Tokenizer, runs: Path
) -> dict[str, Segments]:
    """What a generator is trained and validated on, by split, kept in `runs`."""
    # of the extra `train`: evaluation, which does without, imports this module too
    from accelerate import PartialState

    encoder = TextEncoder(section.text_encoder, PartialState().device)
    found = {}
    for split in ("train", "val"):
        path = runs / f"segments-{split}.safetensors"
        if path.exists():
            found[split] = Segments.load(path, encoder)
            continue
        members = in_split(items, split)
        if split == "train":
            members += join(members, section.joined)
        examples = Examples.of(build_captions(members, section.wordings), encoder)
        bank = TokenBank.encode(tokenizer, Store.build(members), section.phases)
        found[split] = Segments(examples, bank, encoder)
        if PartialState().is_main_process:
            found[split].save(path)
    return found


def train_generator(
    section: GeneratorSection, segments: dict[str, Segments], tokenizer: Tokenizer, runs: Path
) -> Generator:
    """Stage 2, on a trained tokenizer's tokens."""
    encoder = segments["train"].encoder
    if section.init is not None:
        module = wt.load(section.init, torch.device("cpu")).generator.requires_grad_(True)
    else:
        torch.manual_seed(section.seed)
        sizes = (section.size or Sizes()).as_dict()
        module = Generator(GeneratorConfig(text_dim=encoder.dim, text_encoder=encoder.source, **sizes))
    module.codebooks.copy_(tokenizer.quantizer.codebooks)
    stage = GeneratorStage(module, segments["train"], segments["val"], section.batch, section.objective)
    return _trained(stage, section, runs)


def train_guidance(
    section: StageSection, segments: dict[str, Segments], generator: Generator, runs: Path
) -> Generator:
    """Stage 3: a trained generator learns to follow the text in one evaluation instead of two."""
    module = generator.requires_grad_(True)
    stage = GuidanceStage(module, segments["train"], segments["val"], section.batch)
    return _trained(stage, section, runs)


def train_decoder(
    section: DecoderSection, items: list[Recording], tokenizer: Tokenizer, runs: Path
) -> Tokenizer:
    """Stage 4: what the tokens of joined motions look like is learnt too; the tokens stay."""
    train = in_split(items, "train")
    stores = (Store.build(train + join(train, section.joined)), Store.build(in_split(items, "val")))
    trained = run(DecoderStage(tokenizer, *stores, section.batch), section, runs)
    assert isinstance(trained, Tokenizer)
    return trained


def _trained(stage: GeneratorStage, section: StageSection, runs: Path) -> Generator:
    trained = run(stage, section, runs)
    assert isinstance(trained, Generator)
    return trained
