"""How near a prompt is to the captions of training, and what lies beside the weights to tell it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.evaluation import known
from kmm.model import known_prompts
from kmm.model import weights as wt
from kmm.model.familiarity import FILE, Familiarity, embed_all
from kmm.model.pipeline import Pipeline

from .small import write_weights


def vectors(rng: np.random.Generator, count: int, dim: int = 8) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(count, dim))), dim=-1)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 999), known_count=st.integers(1, 30), new=st.integers(1, 30))
def test_it_is_the_share_of_captions_that_are_further_away(seed: int, known_count: int, new: int) -> None:
    rng = np.random.default_rng(seed)
    captions, held_out, asked = vectors(rng, known_count), vectors(rng, new), vectors(rng, 5)
    judge = Familiarity(captions, (held_out @ captions.T).amax(1))
    near = (held_out @ captions.T).amax(1).float()
    want = [(near <= (captions @ x).max().float()).float().mean().item() for x in asked]
    assert judge(asked) == pytest.approx(want, abs=1.01 / new)
    assert judge(captions) == [1.0] * known_count  # what training has read is as near as can be


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    captions, asked = vectors(rng, 40), vectors(rng, 20)
    judge = Familiarity(captions, (vectors(rng, 30) @ captions.T).amax(1))
    assert Familiarity.load(tmp_path, "1234") is None
    judge.save(tmp_path, "1234")
    assert Familiarity.load(tmp_path, "5678") is None  # of other weights
    found = Familiarity.load(tmp_path, "1234")
    assert found is not None and found(asked) == pytest.approx(judge(asked), abs=0.04)
    (tmp_path / FILE).write_bytes(b"nothing of use")
    with pytest.raises(ValueError, match="remove it"):
        Familiarity.load(tmp_path, "1234")


def test_many_texts_are_read_in_parts() -> None:
    texts = [str(i) for i in range(150)]
    found = embed_all(lambda part: torch.tensor([[float(text)] for text in part]), texts)
    assert (
        found[:, 0].tolist() == list(range(150)) and len(embed_all(lambda part: torch.zeros(0, 1), [])) == 0
    )


def test_prompts_lie_beside_the_weights(tmp_path: Path) -> None:
    assert known_prompts.read(tmp_path, "1234") == {}
    prompts = {"walk forward": ("walking normally", "go ahead, slowly é"), "sit": ("sit down",)}
    known_prompts.write(tmp_path, "1234", prompts)
    assert known_prompts.read(tmp_path, "1234") == prompts and known_prompts.read(tmp_path, "5678") == {}
    for wrong in ("[1, 2]", "{", '{"walk": 3}'):
        (tmp_path / known_prompts.FILE).write_text(wrong)
        with pytest.raises(ValueError, match="remove it"):
            known_prompts.read(tmp_path, "1234")


def test_a_pipeline_knows_what_lies_beside_its_weights(tmp_path: Path) -> None:
    folder = write_weights(tmp_path / "small")
    bare = Pipeline.load(str(folder), "cpu")
    assert bare.prompts == {} and bare.familiarity(["walk"]) == ()
    texts = ["a person walks forward", "someone sits down on a chair", "a person jumps"]
    written = ["a man walks", "she sits down", "somebody hops", "he strolls on"]
    Familiarity.build(bare.embed, texts, written).save(folder, bare.sha256)
    known_prompts.write(folder, bare.sha256, {"walk": ("walking normally",)})
    pipeline = Pipeline.load(str(folder), "cpu")
    near, far = pipeline.familiarity(["a person walks forward", "quantum chromodynamics of the moon"])
    assert near == 1.0 and 0 <= far < near
    assert pipeline.prompts == {"walk": ("walking normally",)}
    assert (
        wt.load(str(folder), torch.device("cpu")).sha256 == pipeline.sha256
    )  # they are no part of the model
    assert json.loads((folder / "prompts.json").read_text())["prompts"] == {"walk": ["walking normally"]}


def test_no_captions_are_said_to_be_missing() -> None:
    with pytest.raises(ValueError, match="no captions"):
        known.familiarity(lambda texts: torch.zeros(len(texts), 4), [], [])


@pytest.mark.parametrize("name", sorted(wt.shipped()))
def test_what_lies_beside_the_shipped_weights_can_be_read(name: str) -> None:
    folder = wt.shipped()[name]
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    prompts, judge = known_prompts.read(folder, digest), Familiarity.load(folder, digest)
    assert bool(prompts) == (judge is not None)  # both are of these weights, or neither
