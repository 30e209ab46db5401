"""The pipeline on a small random model: exact lengths, streaming, seeds, cancel, clear refusals."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.model import features as ft
from kmm.model import weights as wt
from kmm.model import windows as wd
from kmm.model.generator import GIVEN, HEEDS, PADDING, SEGMENT, Layout
from kmm.model.pipeline import Frames, Pipeline, Progress
from kmm.model.streaming import FrameStream

from .small import Block, write_weights


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(str(write_weights(tmp_path_factory.mktemp("weights") / "small")), "cpu")


@given(st.lists(st.integers(4, 3000), min_size=1, max_size=8))
def test_windows_cover_every_token_once_and_stay_in_their_segment(durations: list[int]) -> None:
    windows = wd.plan(durations)
    assert windows[0].first == 0 and windows[-1].last == -(-sum(durations) // 4)
    for a, b in itertools.pairwise(windows):
        assert a.last == b.first
    ends = np.cumsum(durations)
    for w in windows:
        assert w.start <= w.first < w.last <= w.end and w.last - w.first <= wd.WINDOW
        assert abs(4 * w.end - ends[w.segment]) <= 3
    assert windows[0].last <= max(wd.FIRST_WINDOW, 1)


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(4, 220), min_size=1, max_size=3))
def test_exactly_the_frames_asked_in_order(pipeline: Pipeline, durations: list[int]) -> None:
    total, sent, done = sum(durations), 0, 0
    for event in pipeline.generate([Block("walk", d) for d in durations]):
        if isinstance(event, Progress):
            assert done <= event.done <= event.total == total
            done = event.done
        else:
            n = len(event.translation)
            assert event.start == sent and n > 0
            assert event.rotations.shape == (n, 22, 4) and event.contacts.shape == (n, 4)
            assert event.translation.dtype == event.rotations.dtype == event.contacts.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(event.rotations, axis=-1), 1.0, atol=1e-5)
            sent += n
    assert sent == done == total


def test_streamed_frames_are_those_of_decoding_all_at_once(pipeline: Pipeline) -> None:
    torch.manual_seed(1)
    tokens = torch.randint(0, 32, (90, 6))
    stream = FrameStream(pipeline.tokenizer, 357)
    parts, at = [], 0
    for size in (16, 20, 3, 1, 36, 14):
        at += size
        parts.append(stream.push(tokens[at - size : at], last=at == 90))
    frames = [p for p in parts if p is not None]
    with torch.no_grad():
        features = pipeline.tokenizer.decode(tokens[None])[0, :357].numpy()
    features[0, :3] = 0.0
    whole, _ = ft.decode(features)
    np.testing.assert_allclose(np.concatenate([f.translation for f in frames]), whole.translation, atol=1e-4)
    np.testing.assert_allclose(np.concatenate([f.rotations for f in frames]), whole.rotations, atol=1e-4)


def test_a_clip_starts_at_the_origin_facing_front(pipeline: Pipeline) -> None:
    clip = pipeline.clip([Block("walk", 30), Block("jump", 33)])
    np.testing.assert_allclose(clip.translation[0, :2], 0.0, atol=1e-6)
    assert [(s.prompt, s.start, s.end) for s in clip.segments] == [("walk", 0, 30), ("jump", 30, 63)]


def test_the_first_frames_leave_before_the_work_is_half_done(pipeline: Pipeline) -> None:
    events = pipeline.generate([Block("walk", 900)])
    done = 0
    for event in events:
        if isinstance(event, Frames):
            break
        done = event.done
    assert 0 < len(event.translation) < 100 and done < 100


def test_one_seed_one_result(pipeline: Pipeline) -> None:
    blocks = [Block("walk", 60), Block("jump", 50)]
    a, b, c = (pipeline.clip(blocks, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.rotations, b.rotations)
    assert np.abs(a.rotations - c.rotations).max() > 1e-3


def test_a_segments_own_seed_wins_over_the_requests(pipeline: Pipeline) -> None:
    a = pipeline.clip([Block("walk", 60, seed=5)], seed=1)
    b = pipeline.clip([Block("walk", 60, seed=5)], seed=2)
    np.testing.assert_array_equal(a.rotations, b.rotations)


def test_text_guidance_and_length_matter(pipeline: Pipeline) -> None:
    base = pipeline.clip([Block("walk", 60)])
    assert np.abs(base.rotations - pipeline.clip([Block("sit down", 60)]).rotations).max() > 1e-3
    assert np.abs(base.rotations - pipeline.clip([Block("walk", 60)], guidance=0.0).rotations).max() > 1e-3
    assert np.abs(base.rotations - pipeline.clip([Block("walk", 64)]).rotations[:60]).max() > 1e-3


def test_what_is_said_after_then_is_made_in_the_second_half(pipeline: Pipeline) -> None:
    stops, jumps, other = (
        pipeline.clip([Block(f"a person {said}", 160)])
        for said in ("walks then stops", "walks then jumps", "sits then stops")
    )
    assert [(s.prompt, s.start, s.end) for s in stops.segments] == [("a person walks then stops", 0, 160)]
    same = slice(0, 80 - 4 * pipeline.tokenizer.reach)
    np.testing.assert_array_equal(stops.rotations[same], jumps.rotations[same])
    assert np.abs(stops.rotations[80:] - jumps.rotations[80:]).max() > 1e-3
    assert np.abs(stops.rotations[same] - other.rotations[same]).max() > 1e-3


def test_closing_stops_the_work_between_two_evaluations(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    logits = pipeline.generator.logits
    monkeypatch.setattr(pipeline.generator, "logits", lambda *a: calls.append(1) or logits(*a))
    events = pipeline.generate([Block("walk", 3000)])
    next(events)
    next(events)
    events.close()
    assert len(calls) == 2 and next(events, None) is None


@pytest.mark.parametrize(
    ("blocks", "says"),
    [([], "at least one prompt"), ([Block("  ", 60)], "empty"), ([Block("walk", 3)], "at least 4")],
)
def test_what_cannot_be_made_is_refused_at_once(pipeline: Pipeline, blocks: list[Block], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pipeline.generate(blocks)


def test_unknown_weights_and_devices_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a folder"):
        Pipeline.load("nonsense")
    with pytest.raises(ValueError, match="use auto"):
        Pipeline.load(device="abacus")
    folder = write_weights(tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be read"):
        Pipeline.load(str(folder))


def test_half_precision_weights_are_nearly_the_same(tmp_path: Path) -> None:
    full = wt.load(str(write_weights(tmp_path / "full")), torch.device("cpu"))
    wt.save(tmp_path / "half", full.tokenizer, full.generator, "test", full.sampling)
    half = wt.load(str(tmp_path / "half"), torch.device("cpu"))
    for (name, a), b in zip(
        full.generator.state_dict().items(), half.generator.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3, msg=name)
    assert half.sha256 != full.sha256 and half.sampling == full.sampling


def test_guidance_that_was_learned_takes_one_evaluation_and_any_other_two(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, model = [], pipeline.generator
    real = model.logits
    monkeypatch.setattr(model, "logits", lambda text, *rest: rows.append(len(text)) or real(text, *rest))
    monkeypatch.setattr(model, "config", replace(model.config, guided=3.0))
    for guidance, wanted in ((1.0, 1), (2.5, 1), (3.0, 1), (3.5, 2), (0.0, 2)):
        rows.clear()
        assert len(pipeline.clip([Block("walk", 40)], guidance=guidance)) == 40
        assert set(rows) == {wanted}


def test_learned_guidance_is_heard_and_none_is_the_plain_text(pipeline: Pipeline) -> None:
    model = copy.deepcopy(pipeline.generator)
    text, scale = torch.randn(2, 5, model.config.width), torch.tensor([1.0, 4.0])
    with torch.no_grad():
        model.emphasis.weight.normal_()
        plain, followed = model.emphasised(text, scale)
    assert torch.equal(plain, text[0]) and not torch.allclose(followed, text[1])


def test_batch_padding_does_not_change_the_generator(pipeline: Pipeline) -> None:
    model = pipeline.generator
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 32, (1, 20, 6), generator=g)
    at = torch.arange(20)
    role = torch.where(at < 5, GIVEN, SEGMENT)
    text, mask = model.read_text(torch.randn(1, 7, 384, generator=g), torch.ones(1, 7, dtype=torch.bool))
    bare = Layout(role[None], (at - 5)[None], (19 - at)[None])

    def padded(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x, (0, 9))[None]

    wide = Layout(padded(role), padded(at - 5), padded(19 - at))
    assert (wide.role[0, 20:] == PADDING).all()
    wide_tokens = torch.nn.functional.pad(tokens, (0, 0, 0, 9), value=3)
    wide_text = torch.nn.functional.pad(text, (0, 0, 4, 0), value=5.0)
    wide_mask = torch.nn.functional.pad(mask, (4, 0))
    with torch.no_grad():
        for narrow, broad in (
            (
                model.logits(text, mask, tokens[..., 0], bare),
                model.logits(wide_text, wide_mask, wide_tokens[..., 0], wide),
            ),
            (
                model.residual_logits(text, mask, tokens, 3, bare),
                model.residual_logits(wide_text, wide_mask, wide_tokens, 3, wide),
            ),
        ):
            torch.testing.assert_close(broad[:, :20], narrow, atol=1e-4, rtol=1e-4)


def test_a_pooled_text_is_the_mean_at_first_and_can_heed_single_word_pieces(pipeline: Pipeline) -> None:
    model = copy.deepcopy(pipeline.generator)
    text = torch.randn(2, 5, model.config.width, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[False, False, True, True, True], [True] * 5])
    with torch.no_grad():
        model.heed.weight.zero_(), model.heed.bias.zero_()
        mean = torch.stack([text[0, 2:].mean(0), text[1].mean(0)])
        torch.testing.assert_close(model.pooled(text, mask), mean)
        model.heed.weight[0] = 50 * text[0, 3] / text[0, 3].norm()  # the first part heeds one word
        part = model.config.width // HEEDS
        torch.testing.assert_close(model.pooled(text, mask)[0, :part], text[0, 3, :part])
        torch.testing.assert_close(model.pooled(text, mask)[:, part:], mean[:, part:])


def test_a_layer_sees_nothing_of_later_layers_and_of_its_own_what_is_not_masked(pipeline: Pipeline) -> None:
    model = pipeline.generator
    tokens = torch.randint(0, 32, (1, 12, 6), generator=torch.Generator().manual_seed(0))
    at = torch.arange(12)
    layout = Layout(torch.where(at < 4, GIVEN, SEGMENT)[None], (at - 4)[None], (11 - at)[None])
    tokens[:, 6:, 3] = model.mask_token
    other = tokens.clone()
    other[:, 4:, 4:] = 0
    torch.testing.assert_close(model.embed(tokens, 3, layout), model.embed(other, 3, layout))
    assert not torch.equal(model.embed(tokens, 4, layout), model.embed(other, 4, layout))
    other[:, 4:6, 3] = (other[:, 4:6, 3] + 1) % 32  # its own, where these are restored
    seen = (model.embed(tokens, 3, layout) != model.embed(other, 3, layout)).any(-1)[0]
    assert seen.tolist() == [False] * 4 + [True] * 2 + [False] * 6
