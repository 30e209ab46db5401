"""A small model with random weights: everything real but its size. What it says is noise, how it works is not."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from kmm.model import known_prompts
from kmm.model import weights as wt
from kmm.model.familiarity import Familiarity
from kmm.model.generator import Generator, GeneratorConfig
from kmm.model.pipeline import Pipeline
from kmm.model.tokenizer import Tokenizer, TokenizerConfig


class Block(NamedTuple):
    """One segment of a request."""

    prompt: str
    duration_frames: int
    seed: int | None = None


def write_weights(folder: Path) -> Path:
    """A weights folder of a small random model, the same every time."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(TokenizerConfig(width=32, half_width=24, full_width=16, code_dim=16, codes=32))
    config = GeneratorConfig(width=64, depth=2, residual_depth=1, codes=32, code_dim=16)
    wt.save(folder, tokenizer, Generator(config), "test", wt.Sampling(steps=3), half=False)
    return folder


def write_known(folder: Path) -> None:
    """What `kmm evaluate known` writes beside weights: that they know how to walk forward, and nothing else."""
    known = ["a person walks forward", "a person is walking forward", "someone walks forward"]
    unseen = ["a person walks forwards", "the person is walking forward"]
    pipeline = Pipeline.load(str(folder), "cpu")
    Familiarity.build(pipeline.embed, known, unseen).save(folder, pipeline.sha256)
    known_prompts.write(folder, pipeline.sha256, {"walk forward": ("a person walks forward",)})
