"""The independent evaluator: batches do not matter, it learns what words mean, and it comes back from disk."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from kmm.data.examples import build_captions
from kmm.data.records import Caption, Recording
from kmm.evaluation import evaluator as ev
from kmm.evaluation.embeddings import fid
from kmm.training.evaluator import EvaluatorStage, Pairs, segment
from kmm.training.loop import LoopConfig, run
from kmm.training.store import Store

from ..data.figures import figure, walk
from ..data.figures import run as running

SMALL = ev.EvaluatorConfig(width=32, dim=16, dropout=0.0)
MOTIONS = {
    "a person walks and turns to the left": walk(1.2, 5.0, turn=40),
    "a person walks straight ahead": walk(1.2, 5.0),
    "a person runs straight ahead": running(3.0, 5.0),
    "a person stands still": figure(5.0),
}


def recordings():
    return [
        Recording("test", text, text, "train", clip, (Caption(text, 0, len(clip), "own", text),), True)
        for text, clip in MOTIONS.items()
    ]


@pytest.fixture(scope="module")
def words():
    return ev.Words()


@pytest.fixture(scope="module")
def stage(words):
    torch.manual_seed(0)
    store = Store.build(recordings())
    module = ev.Evaluator(SMALL)
    mean, std = store.normalization()
    module.mean.copy_(torch.from_numpy(mean))
    module.std.copy_(torch.from_numpy(std))
    pairs = Pairs([e for e in build_captions(recordings(), 2) if e["origin"] == "own"], store)
    return EvaluatorStage(module, pairs, pairs, words, batch=16)


@pytest.mark.parametrize("frames", [4, 5, 16, 17, 18, 19, 22, 23, 77])
def test_what_else_is_in_the_batch_does_not_matter(stage, frames):
    motion = torch.from_numpy(ev.motion_features(walk(1.0, 5.0)))
    alone = stage.module.eval().embed_motions(*ev.pad([motion[:frames]]))
    among = stage.module.embed_motions(*ev.pad([motion, motion[:frames], motion[:50]]))
    torch.testing.assert_close(alone[0], among[1])
    torch.testing.assert_close(among.norm(dim=-1), torch.ones(3))


def test_texts_of_any_length_are_read(stage, words):
    texts = ["walks", "a person walks " * 40, "", "?!"]
    together = stage.module.eval().embed_words(*words(texts))
    for row, text in zip(together, texts, strict=True):
        torch.testing.assert_close(row, stage.module.embed_words(*words([text]))[0])


def test_it_learns_which_text_belongs_to_which_motion(stage, tmp_path):
    before = stage.validate(stage.module.eval())
    config = LoopConfig(steps=60, learning_rate=5e-3, warmup=5, validate_every=60)
    trained = run(stage, config, tmp_path)
    assert stage.validate(trained)["loss"] < before["loss"]
    judge = ev.Judge(trained)
    clips = [*MOTIONS.values(), MOTIONS["a person walks and turns to the left"].mirror()]
    texts = [*MOTIONS, "a person walks and turns to the right"]
    motions, said = judge.motions(ev.motion_features(c) for c in clips), judge.texts(texts)
    assert (np.argmax(motions @ said.T, axis=1) == np.arange(len(texts))).all()
    # and what it has learnt is what is read back
    ev.save(tmp_path / "judge.safetensors", trained, "none")
    again = ev.Judge(ev.load(tmp_path / "judge.safetensors"))
    assert np.allclose(again.motions(map(ev.motion_features, clips)), motions, atol=0.02)
    assert fid(again.texts(texts), said) < 1e-3
    assert (tmp_path / "evaluator.jsonl").exists()


def test_all_of_a_training_step_is_on_the_modules_device(stage):
    # "meta" holds no numbers, so it stands for any GPU: what mixes devices fails on it too
    module = copy.deepcopy(stage.module).to("meta").train().requires_grad_()
    loss, figures = EvaluatorStage(module, stage.train, stage.train, stage.words, batch=16).loss(
        np.random.default_rng(0)
    )
    loss.backward()
    assert {loss.device.type, figures["top1"].device.type} == {"meta"}
    assert all(p.grad is not None for p in module.parameters())


def test_pairs_that_say_the_same_are_no_negatives(stage):
    motions = torch.nn.functional.normalize(torch.randn(3, 8), dim=-1)
    same = torch.eye(3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    twice = torch.stack([motions[0], motions[0], motions[2]])
    # the first two are one: they are as good as apart only when they need not be told apart
    assert stage.module.loss(twice, twice, same) < stage.module.loss(
        twice, twice, torch.eye(3, dtype=torch.bool)
    )


def test_mirrored_motions_have_mirrored_texts(stage):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(10):
        for motion, text in zip(*stage.train.draw(rng, 16), strict=True):
            side = "left" if "left" in text else "right" if "right" in text else ""
            seen.add(side)
            turn = motion[:, 0].mean()
            assert side == ("" if abs(turn) < 0.005 else "left" if turn > 0 else "right")
    assert seen == {"", "left", "right"}


def test_a_long_segment_is_seen_through_a_window():
    clip = walk(1.2, 15.0)
    store = Store.build([Recording("s", "i", "t", "train", clip)])
    example = {
        "recording": 0,
        "start": 0,
        "end": len(clip),
        "texts": ["x"],
        "origin": "",
        "kind": "",
        "actions": (),
    }
    first = segment(store, example)
    assert len(first) == ev.LONGEST and (first == store.clip(0)[: ev.LONGEST]).all()
    others = {segment(store, example, np.random.default_rng(s)).tobytes() for s in range(8)}
    assert len(others) > 1


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_missing_or_damaged_file_says_what_to_do(tmp_path, content):
    path = tmp_path / "judge.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match="kmm train evaluator"):
        ev.load(path)
