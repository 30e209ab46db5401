import numpy as np
import pytest
from kmm.clip import FPS
from kmm.data.examples import build_captions
from kmm.data.records import Caption, Recording
from kmm.data.retiming import WINDOW, natural_speed

from .figures import bump, constant, figure, jump, ramp, walk


def recording(clip, name="a", texts=(), **changes):
    captions = tuple(Caption(t, 0, len(clip), "file-name") for t in texts)
    return Recording("small", name, name, "train", clip, captions, True, **changes)


TURN_LEFT = figure(
    6, forward=lambda t: 1.1 * t, yaw=lambda t: 90 * np.clip((t - 2) / 1.5, 0, 1), along_yaw=True
)


def test_examples_have_different_wordings_and_a_kind():
    examples = build_captions([recording(TURN_LEFT, texts=["a person goes round a corner."])], wordings=6)
    assert {e["kind"] for e in examples} >= {"walk_forward", "walk_turn_left"}
    assert ("walk_forward", "walk_turn_left") in {e["actions"] for e in examples}
    for example in examples:
        assert 1 <= len(example["texts"]) == len(set(example["texts"])) <= 6
        assert 0 <= example["start"] < example["end"] <= len(TURN_LEFT)
    (own,) = (e for e in examples if e["origin"] == "file-name")
    assert own["texts"][0] == "a person goes round a corner." and (own["start"], own["end"]) == (
        0,
        len(TURN_LEFT),
    )


def test_words_do_not_depend_on_the_other_recordings():
    a, b = recording(TURN_LEFT, "a"), recording(walk(), "b")
    alone, together = build_captions([b]), build_captions([a, b])
    assert [e["texts"] for e in alone] == [e["texts"] for e in together if e["recording"] == 1]
    assert build_captions([a, b]) == together
    assert build_captions([a, b], seed=1) != together


def test_a_style_is_merged_into_what_the_motion_shows():
    examples = build_captions([recording(walk(), style="zombie", action="walk")], wordings=12)
    texts = [t for e in examples if e["kind"] == "walk_forward" for t in e["texts"]]
    assert 3 <= sum("zombie" in t for t in texts) < len(texts)


def test_a_label_overrules_what_looks_alike():
    arm = figure(4, left_arm=bump(60, 0.8, 3, -75))
    assert any("raise_lower_left" in e["actions"] for e in build_captions([recording(arm)]))
    waving = build_captions([recording(arm, action="wave left hand", texts=["a person waves."])])
    assert not any("raise_lower_left" in e["actions"] for e in waving)
    assert any(e["kind"] == "wave_left" for e in waving)


def test_a_label_with_the_wrong_side_is_left_out():
    text = "a person walks and turns to the right."
    right = recording(TURN_LEFT, texts=[text], action="walk turn right")
    left = recording(TURN_LEFT.mirror(), texts=[text], action="walk turn right")
    assert not any(e["origin"] == "file-name" for e in build_captions([right]))
    assert any(e["origin"] == "file-name" for e in build_captions([left]))


def test_captions_of_a_recording_are_its_own_and_the_motions():
    found = build_captions([recording(walk(), texts=["a person walks."])])
    assert found[0]["texts"][0] == "a person walks."
    assert {e["origin"] for e in found} == {"file-name", "motion"}


@pytest.mark.parametrize("speed, step_rate", [(0.9, 1.45), (1.3, 1.72), (1.7, 1.95)])
def test_a_gait_cycle_stretched_to_60_frames_walks_at_its_own_speed_again(speed, step_rate):
    cycle = 2.0 / step_rate
    clip = walk(speed, cycle + 0.1, step_rate=step_rate)
    stretched = clip.resample(FPS * WINDOW / (cycle * FPS)).slice(0, WINDOW)
    stretched = type(clip)(stretched.translation, stretched.rotations, FPS)
    assert len(stretched) == WINDOW
    again = natural_speed(stretched, "walk")
    travelled = np.linalg.norm(again.translation[-1, :2] - again.translation[0, :2])
    assert travelled / again.seconds == pytest.approx(speed, rel=0.12)
    assert again.seconds > 2 * cycle  # repeated


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_a_jump_falls_as_things_fall(factor):
    clip = jump(rise=9.6 * 0.55**2 / 8)
    wrong = type(clip)(clip.translation, clip.rotations, FPS * factor).resample(FPS)
    wrong = type(clip)(wrong.translation, wrong.rotations, FPS)
    again = natural_speed(wrong, "jump")
    assert again.seconds == pytest.approx(clip.seconds, rel=0.06)
    assert natural_speed(clip, "jump") is clip


def test_other_actions_keep_their_speed():
    clip = figure(2, lift=constant(0.0))
    assert natural_speed(clip, "sit down") is clip


def test_kinds_are_drawn_apart_where_people_ask_for_them_apart():
    def kinds(clip, *actions):
        return {e["kind"] for e in build_captions([recording(clip)], 2) if e["actions"] == actions}

    assert kinds(figure(4, yaw=ramp(0, 90, 1, 2.5)), "turn_left") == {"turn_left 90"}
    assert kinds(figure(4, yaw=ramp(0, 130, 1, 2.5)), "turn_left") == {"turn_left"}
    assert kinds(walk(0.6, 4.0), "walk_forward") == {"walk_forward slow"}
    stops = figure(6.0, forward=ramp(0.0, 3.0, 0.0, 3.0))
    assert kinds(stops, "walk_forward", "stand") == {"walk_forward then stand"}
