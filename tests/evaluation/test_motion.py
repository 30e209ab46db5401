"""Evaluation of generated motion: what is real judges as real, what slides is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from kmm.clip import Clip
from kmm.data.records import Caption, Recording
from kmm.evaluation import evaluator as ev
from kmm.evaluation import motion

from ..data.figures import figure, ramp, walk


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return ev.Judge(ev.Evaluator(ev.EvaluatorConfig(width=32, dim=16)))


@pytest.fixture(scope="module")
def recordings():
    """Forty clips with texts and labels of their own, in which somebody stands, and then walks and turns."""

    def one(i):
        ahead, yaw = ramp(0, 3.0 + 0.05 * i, 2.5, 6.0), ramp(0, 3.0 * i, 4.0, 5.5)
        clip = figure(6.0, forward=ahead, yaw=yaw, along_yaw=True)
        caption = Caption(f"somebody does thing number {i}", 0, len(clip), "own")
        return Recording("small", f"{i}", f"{i}", "test", clip, (caption,), True, action=f"thing {i}")

    return [one(i) for i in range(40)]


class Oracle:
    """Makes the real motion of every text, one after the other where there are several, changed by `spoil`."""

    def __init__(self, recordings, spoil=lambda clip: clip):
        items = motion.test_items(recordings)
        self.known = {(text, len(i.clip)): i.clip for i in items for text in i.texts}
        self.by_text = {text: i.clip for i in items for text in i.texts}
        self.spoil = spoil

    def __call__(self, script, seed):
        clips = [self.known.get((t, n), self.by_text[t]).slice(0, n) for t, n in script]
        joined = Clip(
            np.concatenate([c.translation for c in clips]), np.concatenate([c.rotations for c in clips])
        )
        return self.spoil(joined)


@pytest.fixture(scope="module")
def perfect(judged):
    return judged.figures


@pytest.fixture(scope="module")
def judged(judge, recordings):
    return motion.evaluate(Oracle(recordings), judge, recordings, seeds=2, limit=64)


def test_the_real_motion_itself_judges_as_real(perfect):
    made, real = perfect["FID"]
    assert made.mean == pytest.approx(real.mean, rel=1e-3)
    for name in ("MM-dist", "foot skate, share of contact", "floor penetration, mm"):
        made, real = perfect[name]
        assert made.mean == pytest.approx(real.mean, rel=1e-3), name
    for top in (1, 2, 3):
        made, real = perfect[f"R-precision top {top}"]
        assert abs(made.mean - real.mean) < 0.1


def test_motions_that_are_only_put_side_by_side_jerk_at_their_seams(perfect):
    made, real = perfect["transition peak jerk"]
    assert made.mean > 3 * real.mean
    made, real = perfect["transition area under jerk"]
    assert made.mean > real.mean


def test_a_motion_shoved_over_the_floor_skates_and_a_sunken_one_sinks(judge, recordings, perfect):
    def spoil(clip):
        shove = np.stack(
            [0.8 * np.arange(len(clip)) / 30, np.zeros(len(clip)), np.full(len(clip), -0.05)], -1
        )
        return replace(clip, translation=clip.translation + shove)

    spoilt = motion.evaluate(Oracle(recordings, spoil), judge, recordings, seeds=1, limit=64).figures
    assert spoilt["foot skate, share of contact"][0].mean > 0.5
    assert spoilt["floor penetration, mm"][0].mean == pytest.approx(50, abs=8)
    assert spoilt["FID"][0].mean > 3 * perfect["FID"][0].mean
    # of the real motion nothing has changed, and one seed has no interval
    assert spoilt["floor penetration, mm"][1].mean < 5
    assert np.isinf(spoilt["FID"][0].half_width)


def test_the_asked_frames_are_the_real_segments(judge, recordings):
    asked, oracle = [], Oracle(recordings)

    def generate(script, seed):
        asked.append((script, seed))
        return oracle(script, seed)

    motion.evaluate(generate, judge, recordings, seeds=1, limit=64)
    frames = {len(i.clip) for i in motion.test_items(recordings)}
    assert {n for script, _ in asked if len(script) == 1 for _, n in script} <= frames
    assert any(len(script) == motion.SCRIPT for script, _ in asked)
    assert len({seed for _, seed in asked}) == len(asked)


def test_too_small_a_test_split_says_so(judge, recordings):
    with pytest.raises(ValueError, match="too small"):
        motion.evaluate(Oracle(recordings), judge, recordings[:3], seeds=1)


def test_a_real_transition_is_around_the_frame_where_the_action_changes():
    clip = figure(6, forward=ramp(0, 3.0, 2.5, 6.0))
    found = motion.real_transitions([Recording("s", "i", "t", "test", clip)])
    assert found and all(len(c) == 30 for c in found)
    # it stands before and goes after
    step = np.linalg.norm(np.diff(found[0].translation[:, :2], axis=0), axis=-1)
    assert step[:5].mean() < step[-5:].mean()
    assert motion.real_transitions([Recording("s", "i", "t", "test", walk(1.2, 4.0))]) == []


def test_the_table_has_generated_beside_real_and_says_of_how_many(judged, recordings):
    *lines, counts = motion.table(judged).splitlines()
    assert lines[0].split() == ["generated", "real"] and len(lines) == len(judged.figures) + 1
    segments, between = len(motion.test_items(recordings)), len(motion.real_transitions(recordings))
    assert (judged.segments, judged.transitions) == ((64, segments), (min(32, between), between))
    assert counts == f"A seed: 64 of {segments} segments, {judged.transitions[0]} of {between} transitions."


def test_real_motion_that_is_the_same_for_every_seed_has_no_interval(judge, recordings):
    items, between = motion.test_items(recordings), motion.real_transitions(recordings)
    everything = motion.evaluate(Oracle(recordings), judge, recordings, seeds=2, limit=2 * len(between) + 8)
    assert everything.transitions == (len(between), len(between)) and everything.segments[0] < len(items)
    made, real = everything.figures["transition peak jerk"]
    assert np.isinf(real.half_width) and np.isfinite(made.half_width) and "+-" not in str(real)
    # other halves, other segments: these differ from seed to seed
    for name in ("transition FID", "FID", "foot slide in contact, cm/s"):
        assert np.isfinite(everything.figures[name][1].half_width)
