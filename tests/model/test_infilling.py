"""In-filling on a small random model: what is given comes back, and the rest is made around it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.clip import Clip
from kmm.contacts import foot_contacts
from kmm.given import Given
from kmm.model import features as ft
from kmm.model import windows as wd
from kmm.model.known import known_tokens
from kmm.model.pipeline import Frames, Pipeline, Progress

from ..light.motions import random_clip, walk
from .small import Block, write_weights


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(str(write_weights(tmp_path_factory.mktemp("weights") / "small")), "cpu")


def assert_given(clip: Clip, given: Given) -> None:
    """Bit for bit."""
    np.testing.assert_array_equal(clip.rotations[given.frames], given.rotations)
    np.testing.assert_array_equal(clip.translation[given.frames], given.translation)


@st.composite
def some_frames(draw: st.DrawFn, total: int) -> list[int]:
    """Of a motion: single frames, or stretches."""
    if draw(st.booleans()):
        return sorted(draw(st.sets(st.integers(0, total - 1), min_size=1, max_size=8)))
    cuts = sorted(draw(st.sets(st.integers(0, total), min_size=2, max_size=6)))
    return [f for a, b in zip(cuts[::2], cuts[1::2], strict=False) for f in range(a, b)]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(4, 120), min_size=1, max_size=3), st.data())
def test_given_frames_come_back_and_all_frames_come(
    pipeline: Pipeline, durations: list[int], data: st.DataObject
) -> None:
    total = sum(durations)
    frames = data.draw(some_frames(total))
    loop = data.draw(st.booleans()) and total - 1 not in frames
    picked = Given.of(random_clip(total, seed=data.draw(st.integers(0, 9))), frames)
    transition = data.draw(st.none() | st.integers(0, 60))
    sent = done = 0
    parts = []
    for event in pipeline.generate(
        [Block("walk", d) for d in durations], given=picked, loop=loop, transition_frames=transition
    ):
        if isinstance(event, Progress):
            assert done <= event.done <= event.total == total
            done = event.done
        else:
            assert event.start == sent and len(event.translation) > 0
            sent += len(event.translation)
            parts.append(event)
    assert sent == total
    _, known = known_tokens(pipeline.tokenizer, picked, total)
    assert done == (0 if known.all() else total)
    clip = Clip(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("translation", "rotations")),
        contacts=np.concatenate([p.contacts for p in parts]),
    )
    assert np.isfinite(clip.translation).all()
    np.testing.assert_allclose(np.linalg.norm(clip.rotations, axis=-1), 1.0, atol=1e-5)
    assert_given(clip, picked)


@given(
    st.lists(st.integers(4, 600), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 700), st.integers(1, 60)), max_size=8),
)
def test_windows_cover_what_is_not_known_and_no_more(
    durations: list[int], runs: list[tuple[int, int]]
) -> None:
    known = np.zeros(wd.token_count(sum(durations)), dtype=bool)
    for start, count in runs:
        known[start : start + count] = True
    windows = wd.plan(durations, known)
    covered = np.zeros(len(known), dtype=int)
    for window in windows:
        covered[window.first : window.last] += 1
        assert window.start <= window.first < window.last <= window.end
        assert window.last - window.first <= wd.WINDOW
    assert (covered <= 1).all() and covered[~known].all()
    for a, b in itertools.pairwise(windows):
        assert a.last <= b.first
    for at in range(len(known) - wd.STRETCH + 1):
        if known[at : at + wd.STRETCH].all():
            assert not covered[at : at + wd.STRETCH].all()


def test_what_is_made_depends_on_both_sides_of_a_gap_and_on_its_prompt(pipeline: Pipeline) -> None:
    source = walk(200)
    blocks = [Block("walk", 80), Block("wave", 40), Block("walk", 80)]
    outside = [*range(80), *range(120, 200)]
    one = pipeline.clip(blocks, given=Given.of(source, outside))

    def changed(**options: object) -> float:
        other = pipeline.clip(**{"segments": blocks, "given": Given.of(source, outside)} | options)
        return float(np.abs(other.rotations[95:105] - one.rotations[95:105]).max())

    assert changed() == 0.0
    assert changed(segments=[blocks[0], Block("sit", 40), blocks[2]]) > 1e-3
    for part in (slice(0, 80), slice(120, 200)):
        rotations = source.rotations.copy()
        rotations[part] = random_clip(200, 3).rotations[part]
        assert changed(given=Given.of(Clip(source.translation, rotations), outside)) > 1e-3


def test_one_seed_one_result_and_the_prompts_of_given_blocks_do_not_matter(pipeline: Pipeline) -> None:
    outside = Given.of(walk(200), [*range(80), *range(120, 200)])
    clips = [
        pipeline.clip([Block(before, 80), Block("wave", 40, 7), Block("walk", 80)], seed, given=outside)
        for before, seed in (("walk", 1), ("walk", 2), ("jump", 1))
    ]
    np.testing.assert_array_equal(clips[0].rotations, clips[1].rotations)
    np.testing.assert_array_equal(clips[0].rotations, clips[2].rotations)


def test_the_motion_comes_in_the_world_of_what_is_given(pipeline: Pipeline) -> None:
    source = walk(90)
    moved = source.transform(2.0, [30.0, -7.0, 0.0])
    frames = range(20, 50)
    here, there = (pipeline.clip([Block("walk", 90)], given=Given.of(c, frames)) for c in (source, moved))
    np.testing.assert_allclose(here.transform(2.0, [30.0, -7.0, 0.0]).joints(), there.joints(), atol=2e-3)


def test_what_goes_on_from_given_frames_streams(pipeline: Pipeline) -> None:
    events = list(pipeline.generate([Block("walk", 900)], given=Given.of(walk(60), range(60))))
    first = next(i for i, e in enumerate(events) if isinstance(e, Frames))
    assert first < len(events) / 3
    assert events[first].start == 0 and len(events[first].translation) < 200


def test_all_frames_given_come_back_without_work(pipeline: Pipeline) -> None:
    picked = Given.of(walk(62), range(62))
    events = list(pipeline.generate([Block("walk", 62)], given=picked))
    assert all(isinstance(e, Frames) for e in events)
    assert_given(pipeline.clip([Block("walk", 62)], given=picked), picked)


def test_cancel_takes_effect_between_two_evaluations(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    logits = pipeline.generator.logits
    monkeypatch.setattr(pipeline.generator, "logits", lambda *a: calls.append(1) or logits(*a))
    events = pipeline.generate([Block("walk", 600)], given=Given.of(walk(600), [0, 300, 599]), loop=False)
    next(events)
    next(events)
    events.close()
    assert len(calls) == 2 and next(events, None) is None


def test_no_sequence_is_longer_than_in_training(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    logits = pipeline.generator.logits
    monkeypatch.setattr(pipeline.generator, "logits", lambda *a: lengths.append(a[2].shape[1]) or logits(*a))
    source = walk(600)
    pipeline.clip(
        [Block("walk", 600)], given=Given.of(source, [*range(100), *range(260, 300), *range(560, 600)])
    )
    pipeline.clip([Block("walk", 160)], loop=True)
    assert max(lengths) == wd.LONGEST


def test_known_tokens_stay_and_are_those_of_the_motion(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = walk(160)
    frames = [*range(0, 81), 100, *range(120, 160)]
    tokens, known = known_tokens(pipeline.tokenizer, Given.of(source, frames), 160)
    assert list(np.flatnonzero(~known)) == [*range(20, 25), *range(26, 30)]
    features = ft.encode(replace(source, contacts=foot_contacts(source.joints(), 30.0)))
    features[0, :3] = features[1, :3]
    with torch.no_grad():
        whole = pipeline.tokenizer.encode(torch.from_numpy(features)[None])[0]
    inner = slice(7, 13)  # where neither the clip's start nor the gap is within reach
    assert (tokens[inner] == whole[inner]).all()
    seen = []
    residual = pipeline.generator.residual_logits
    monkeypatch.setattr(
        pipeline.generator, "residual_logits", lambda *a: seen.append(a[2].clone()) or residual(*a)
    )
    pipeline.clip([Block("walk", 160)], given=Given.of(source, frames))
    # the window is tokens 20 to 29, with sixteen before and eight after; token 25 holds the lone pose
    assert seen[-1].shape[1] == wd.CONTEXT + 10 + wd.AFTER
    assert (seen[-1][0, :16] == tokens[4:20]).all() and (seen[-1][0, 26:] == tokens[30:38]).all()
    assert (seen[-1][0, 16 + 5] == tokens[25]).all()


@settings(deadline=None, max_examples=15)
@given(st.integers(4, 300), st.none() | st.integers(1, 60))
def test_a_loop_has_its_frames_and_starts_as_ever(
    pipeline: Pipeline, duration: int, transition: int | None
) -> None:
    clip = pipeline.clip([Block("walk", duration)], loop=True, transition_frames=transition)
    assert len(clip) == duration
    np.testing.assert_allclose(clip.translation[0, :2], 0.0, atol=1e-6)
    first = next(e for e in pipeline.generate([Block("walk", duration)], loop=True) if isinstance(e, Frames))
    assert duration < 120 or len(first.translation) < 60  # it streams


def test_the_end_of_a_loop_is_made_to_lead_into_its_start(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    residual = pipeline.generator.residual_logits
    monkeypatch.setattr(
        pipeline.generator, "residual_logits", lambda *a: seen.append(a[2].clone()) or residual(*a)
    )
    pipeline.clip([Block("walk", 80)], loop=True)
    # two evaluations for the second layer, one for each finer one
    first, second = seen[5], seen[-1]
    assert first.shape[1] == 10 and second.shape[1] == 10 + 10 + 8
    assert (second[0, 20:, :5] == first[0, :8, :5]).all()  # the finest layer is written after it is seen


@pytest.mark.parametrize(
    ("frames", "loop", "says"),
    [([70], False, "Frame 70 is given"), ([59], True, "leave it free"), (range(60), True, "leave it free")],
)
def test_what_contradicts_itself_is_refused_at_once(
    pipeline: Pipeline, frames: list[int], loop: bool, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        pipeline.generate([Block("walk", 60)], given=Given.of(walk(80), frames), loop=loop)
