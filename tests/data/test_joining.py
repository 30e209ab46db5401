import re

import numpy as np
import pytest
from kmm import rotations as rot
from kmm.data import joining
from kmm.data.annotate import segments, wrists_up
from kmm.data.joining import Joiner, join, returned
from kmm.data.pieces import Pieces
from kmm.data.records import Recording
from kmm.data.scripts import Script
from kmm.data.signals import signals
from kmm.editing import concatenate

from .figures import HEIGHT, bump, constant, figure, jump, ramp, walk


def plain(name, clip, **changes):
    return Recording("set", name, name, "train", clip, commercial=True, **changes)


@pytest.fixture(scope="module")
def recordings():
    walks = [plain(f"walk{k}", walk(speed, 5.0)) for k, speed in enumerate((1.0, 1.2, 1.3))]
    return [*walks, plain("stand", figure(4.0))]


@pytest.fixture(scope="module")
def joined(recordings):
    return join(recordings, 100, seed=3)


def test_motions_are_joined_for_training_and_say_what_they_are(joined):
    assert len(joined) == 100 and len({r.id for r in joined}) == 100
    assert {(r.set, r.split, r.commercial, r.texts) for r in joined} == {("joined", "train", True, ())}


def test_a_seam_does_not_jerk(joined, recordings):
    def jerk(clip):
        joints = clip.joints()
        return np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max()

    own = max(jerk(r.clip) for r in recordings)
    assert max(jerk(r.clip) for r in joined) < 2.5 * own


def test_sequences_come_out_that_no_recording_shows(joined, recordings):
    def kinds(items):
        return {s.kind for r in items for s in segments(r.clip) if len(s.actions) > 1}

    assert not kinds(recordings)
    assert kinds(joined) & {"walk_forward+stand", "stand+walk_forward"}
    assert any("turn" in k or "curve" in k for k in kinds(joined))  # bent walks


def test_the_same_seed_joins_the_same(recordings, joined):
    again = join(recordings, 5, seed=3)
    for a, b in zip(again, joined, strict=False):
        np.testing.assert_array_equal(a.clip.rotations, b.clip.rotations)
        np.testing.assert_array_equal(a.clip.translation, b.clip.translation)


def test_styles_and_special_actions_are_not_joined():
    clip = walk(1.2, 4.0)
    special = [plain("a", clip, style="chicken"), plain("b", clip, action="salsa dance")]
    assert join(special, 3) == []


def test_who_turns_with_an_arm_up_is_no_example_of_turning():
    turn = figure(3.0, yaw=ramp(0, 90, 0.8, 2.0), left_arm=constant(60.0))
    pieces = Pieces([plain("turn", turn), plain("stand", figure(4.0))], 0)
    assert pieces.kinds["turn_left"]
    for piece in pieces.kinds["turn_left"]:
        assert not wrists_up(signals(pieces.clip(piece))).any()


def test_who_fights_is_no_example_of_crouching():
    low = figure(3.0, height=ramp(HEIGHT, 0.6, 0.5, 1.2))
    kinds = [
        {k for k, v in Pieces([plain("a", low, action=name)], 0).kinds.items() if v}
        for name in ("hide", "punch")
    ]
    assert any(k.startswith("crouch") for k in kinds[0]) and not any(k.startswith("crouch") for k in kinds[1])


def test_quaternions_stay_unit(joined):
    for r in joined:
        np.testing.assert_allclose(np.linalg.norm(r.clip.rotations, axis=-1), 1, atol=1e-4)
        assert np.isfinite(rot.magnitude(r.clip.rotations)).all()


def test_a_few_steps_between_standing_are_asked_for(recordings, monkeypatch):
    joiner, rng = Joiner(recordings, 3), np.random.default_rng(3)
    monkeypatch.setattr(joiner.scripts, "draw", lambda rng: Script(("few_steps",)))
    found = [s for _ in range(60) if (clip := joiner.asked(rng)) is not None for s in segments(clip)]
    assert {a.count for s in found for a in s.actions if a.kind == "walk_forward"} - {0}


def test_who_took_a_few_steps_stands_on(recordings, monkeypatch):
    joiner = Joiner(recordings, 3)
    monkeypatch.setattr(joiner.scripts, "draw", lambda rng: Script(("few_steps",)))

    def longest(stood):
        monkeypatch.setattr(joining, "STOOD", stood)
        rng = np.random.default_rng(3)
        clips = [clip for _ in range(60) if (clip := joiner.asked(rng)) is not None]
        counted = [s for clip in clips for s in segments(clip) if any(a.count for a in s.actions)]
        return max(s.end - s.start for s in counted)

    assert longest(3.0) > longest(0.8) + 1.0 * 30


def test_a_single_action_comes_with_a_pose_that_is_held(recordings):
    squat = plain("squat", figure(3.0, height=bump(0.45, 0.6, 2.2, HEIGHT)))
    found = [s for r in join([squat], 20, seed=1) for s in segments(r.clip) if s.kind == "squat"]
    assert max(s.end - s.start for s in found) > 1.5 * 1.6 * 30  # the squat itself takes 1.6 s


def test_whoever_goes_and_comes_back_turns_about(recordings):
    turn = plain("turn", figure(4.0, yaw=ramp(0, 110, 1, 2.5)))
    turns = [
        abs(s.actions[1].amount)
        for r in join([*recordings, turn], 150, seed=2)
        for s in segments(r.clip)
        if re.fullmatch(r"walk_forward\+turn_(left|right)\+walk_forward", s.kind)
    ]
    assert turns and np.median(np.abs(np.array(turns) - 180)) < 25


@pytest.mark.parametrize("too_far", [0.0, 0.5, 1.5])
def test_who_comes_back_stops_where_the_way_began(too_far):
    there_and_on = figure(6.0, forward=lambda t: ramp(0, 2, 0, 2)(t) - ramp(0, 2 + too_far, 3, 6)(t))
    back = returned(there_and_on)
    away = np.linalg.norm(back.translation[:, :2] - back.translation[0, :2], axis=-1)
    assert away.max() == pytest.approx(2.0, abs=0.1) and away[-1] < 0.1


def test_who_does_not_come_back_is_left_out():
    assert returned(figure(6.0, forward=lambda t: ramp(0, 2, 0, 2)(t) - ramp(0, 1, 3, 6)(t))) is None


@pytest.mark.parametrize("askew", [-40.0, 0.0, 40.0])
def test_a_way_back_that_leads_beside_the_start_is_bent_to_it(askew):
    yaw = ramp(0, 180 + askew, 2, 3.5)
    back = returned(
        figure(7.0, forward=lambda t: ramp(0, 2, 0, 2)(t) + ramp(0, 2.4, 3.5, 6)(t), yaw=yaw, along_yaw=True)
    )
    away = np.linalg.norm(back.translation[:, :2] - back.translation[0, :2], axis=-1)
    assert away.max() == pytest.approx(2.0, abs=0.3) and away[-1] < 0.2 * away.max()


def test_bodies_that_stand_raise_and_wave_their_arms(recordings):
    raised = plain("raised", figure(4.0, right_arm=bump(60, 0.5, 3.0, -75)))
    found = [s for r in join([*recordings, raised], 150, seed=4) for s in segments(r.clip)]
    kinds = {s.kind for s in found}
    assert {"wave_left", "wave_right", "raise_left", "raise_right", "raise_lower_left"} <= kinds
    for s in found:
        assert not s.kind.startswith("wave") or s.end - s.start > 1.3 * 30


def test_a_punch_is_held_though_the_body_was_never_calm():
    jab = figure(2.5, forward=lambda t: 0.1 * np.sin(5 * t), right_arm=lambda t: -30 + 0 * t)
    pieces = Pieces([plain("jab", jab)], 0)
    assert all(p.calm is not None for p in pieces.kinds.get("punch_right", ()))


def test_who_jumps_again_does_not_stand_up_between():
    """Three jumps in a row are one action of three, and are done in five seconds, as people ask for them."""
    joiner = Joiner(
        [plain("jump", jump(bent=0.6)), plain("high", jump(0.45, bent=0.7)), plain("stand", figure(4.0))]
    )
    rng = np.random.default_rng(0)
    found = [s for _ in range(8) for s in segments(joiner._acted(("jump",) * 3, rng, held=True))]
    counts = [s.actions[0].count for s in found if s.kind == "jump"]
    assert counts and set(counts) == {3}
    assert all(s.end - s.start < 5 * 30 for s in found)


def test_a_piece_is_done_once():
    """How often is for scripts to say: three hops are no piece, else three of them were nine."""
    thrice = concatenate(jump().slice(10, 56), jump().slice(14, 56), jump().slice(14, 90))
    assert max(s.actions[0].count for s in segments(thrice) if s.kind == "jump") == 3
    assert not Pieces([plain("thrice", thrice)], 0).kinds.get("jump")
