"""What users of weights should know of them: which prompts come out right, how far a prompt is from training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kmm.data.examples import build_captions
from kmm.data.records import Recording
from kmm.evaluation.directions import Check, checks, noise
from kmm.evaluation.generating import Generate
from kmm.model.familiarity import Embed, Familiarity


def prompts(generate: Generate, seeds: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Kind -> the prompts that do as told with every seed, judged by physics."""
    found: dict[str, list[str]] = {}
    for check in checks():
        if isinstance(check, Check) and all(check.ask(generate, noise(check, seed)) for seed in seeds):
            found.setdefault(check.kind, []).append(check.prompt)
    return {kind: tuple(dict.fromkeys(each)) for kind, each in found.items()}


def familiarity(embed: Embed, train: Iterable[Recording], held_out: Iterable[Recording]) -> Familiarity:
    """By all texts that training reads, and those that people wrote about motion it has not seen."""
    texts = [text.strip() for example in build_captions(train) for text in example["texts"]]
    written = [caption.text.strip() for recording in held_out for caption in recording.texts]
    if not texts or not written:
        raise ValueError("The folder has no captions in its train and val splits; choose another.")
    return Familiarity.build(embed, texts, written)
