"""Train the independent evaluator (kmm.evaluation.evaluator) on segments and their texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kmm.data.examples import Example, build_captions
from kmm.data.records import in_split
from kmm.data.sampling import Balanced
from kmm.data.wording import swap_left_right
from kmm.evaluation.evaluator import LONGEST, Evaluator, Words, pad, save
from kmm.model import features as ft
from kmm.training.loop import run
from kmm.training.recipe import WORDINGS, EvaluatorRecipe
from kmm.training.run import recordings
from kmm.training.store import Store

SHORTEST = 16  #: frames; segments shorter than this are not drawn
VALIDATION_POOL = 32


class Pairs:
    """Segments of motion and their texts, balanced over kinds of action, half of them mirrored."""

    def __init__(self, examples: Sequence[Example], store: Store) -> None:
        self.examples = [e for e in examples if e["end"] - e["start"] >= SHORTEST]
        self.store, self.balanced = store, Balanced(self.examples)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[list[NDArray[np.float32]], list[str]]:
        """Features and a wording of each."""
        motions, texts = [], []
        for index in self.balanced.draw(rng, count):
            example, mirrored = self.examples[index], bool(rng.random() < 0.5)
            motion = segment(self.store, example, rng)
            motions.append(ft.mirror(motion) if mirrored else motion)
            text = example["texts"][int(rng.integers(len(example["texts"])))]
            texts.append(swap_left_right(text) if mirrored else text)
        return motions, texts


def segment(store: Store, example: Example, rng: np.random.Generator | None = None) -> NDArray[np.float32]:
    """(T, 140) features of an example, of one longer than LONGEST a random window (its first without `rng`)."""
    # the store leaves out a clip's first frame
    start, end = max(0, example["start"] - 1), example["end"] - 1
    room = max(0, end - start - LONGEST)
    start += int(rng.integers(room + 1)) if rng is not None else 0
    return store.clip(example["recording"])[start : min(end, start + LONGEST)]


class EvaluatorStage:
    """Contrastive training of both encoders."""

    name = "evaluator"

    def __init__(
        self, module: Evaluator, train: Pairs, validation: Pairs, words: Words, batch: int = 64
    ) -> None:
        self.module: nn.Module = module
        self.train, self.validation, self.words, self.batch = train, validation, words, batch

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(self.module, Evaluator)
        loss, found = self._judge(self.module, *self.train.draw(rng, self.batch))
        return loss, {"top1": found[0]}

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """Retrieval in random batches of 32, which may hold a text twice: R-precision but for that."""
        assert isinstance(module, Evaluator)
        rng = np.random.default_rng(1)
        rows = [
            self._judge(module, *self.validation.draw(rng, VALIDATION_POOL), training=False)
            for _ in range(24)
        ]
        top1, top3 = torch.stack([found for _, found in rows]).mean(0).tolist()
        return {"top3": top3, "top1": top1, "loss": float(torch.stack([loss for loss, _ in rows]).mean())}

    def _judge(
        self,
        module: Evaluator,
        motions: list[NDArray[np.float32]],
        texts: list[str],
        training: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Loss, and (2,) how often the own text is the nearest and among the three nearest of the batch."""
        features, length = pad([torch.from_numpy(m) for m in motions])
        words, count = self.words(texts)
        device = module.mean.device
        features, words = features.to(device), words.to(device)
        if training:  # a word is missing now and then, as when somebody says it otherwise
            kept = torch.rand(words.shape[:2], device=device) > 0.1
            words = words * kept[..., None]
        number = torch.tensor([sorted(set(texts)).index(t) for t in texts], device=device)
        a, b = module.embed_motions(features, length), module.embed_words(words, count)
        loss = module.loss(a, b, number[:, None] == number[None])
        own = (a * b).sum(-1, keepdim=True)
        nearer = ((a @ b.T > own) & (number[:, None] != number[None])).sum(-1)
        return loss, torch.stack([(nearer < n).float().mean() for n in (1, 3)])


def train(recipe: EvaluatorRecipe, data: Path, runs: Path, out: Path) -> None:
    """Train on the train split of the recipe's sets and write the evaluator to the file `out`."""
    section = recipe.evaluator
    items = recordings(recipe, data)
    words = Words()
    pairs, stores = {}, {}
    for split in ("train", "val"):
        part = in_split(items, split)
        stores[split] = Store.build(part)
        pairs[split] = Pairs(build_captions(part, WORDINGS), stores[split])
    torch.manual_seed(section.seed)
    module = Evaluator()
    mean, std = stores["train"].normalization()
    module.mean.copy_(torch.from_numpy(mean))
    module.std.copy_(torch.from_numpy(std))
    stage = EvaluatorStage(module, pairs["train"], pairs["val"], words, section.batch)
    trained = run(stage, section, runs)
    assert isinstance(trained, Evaluator)
    save(out, trained, recipe.licence)
