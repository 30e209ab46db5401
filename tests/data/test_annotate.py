import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.clip import Clip
from kmm.data.annotate import actions, annotate, segments
from kmm.data.blending import lead_steps
from kmm.data.sentences import there_and_back
from kmm.data.signals import signals
from kmm.data.wording import swap_left_right
from kmm.editing import concatenate

from .figures import HEIGHT, bump, constant, figure, jump, ramp, run, walk

FIGURES = {
    "walk_forward": walk(),
    "run_forward": run(),
    "walk_backward": figure(4, forward=lambda t: -0.8 * t),
    "walk_left": figure(4, left=lambda t: 0.6 * t, step_rate=2.4),
    "walk_right": figure(4, left=lambda t: -0.6 * t, step_rate=2.4),
    "walk_diagonal_left": figure(4, forward=lambda t: 0.8 * t, left=lambda t: 0.5 * t),
    "walk_circle_left": walk(1.0, 8, turn=50),
    "walk_curve_right": walk(1.1, 4, turn=-15),
    "stand": figure(4),
    "turn_left": figure(4, yaw=ramp(0, 90, 1, 2.5)),
    "turn_right": figure(4, yaw=ramp(0, -180, 1, 3)),
    "squat": figure(3, height=bump(0.45, 0.6, 2.2, HEIGHT)),
    "jump": jump(),
    "jump_forward": jump(ahead=0.7),
    "jump_turn_left": jump(yaw=ramp(0, 180, 1, 1.55)),
    "bow": figure(4, lean=bump(50, 0.8, 2.8)),
    "raise_lower_left": figure(4, left_arm=bump(60, 0.8, 3, -75)),
    "raise_lower_both": figure(4, left_arm=bump(60, 0.8, 3, -75), right_arm=bump(60, 0.8, 3, -75)),
    "wave_right": figure(
        5, right_arm=lambda t: ramp(-75, 50, 0.8, 1.5)(t) + ramp(0, -125, 3.8, 4.6)(t)
        + 15 * np.sin(4 * np.pi * t) * ((t > 1.5) & (t < 3.5))
    ),
}  # fmt: skip


def kinds(clip: Clip) -> list[str]:
    return [a.kind for a in actions(signals(clip))]


def texts(clip: Clip) -> str:
    return " | ".join(c.text for c in annotate(clip))


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_that_does_one_thing_is_called_that(kind):
    found = set(kinds(FIGURES[kind])) - {"stand"}
    # raising and lowering are also said one by one
    parts = {"raise_lower": {"raise", "lower"}}
    side = kind.rpartition("_")[2]
    allowed = {kind} | {f"{p}_{side}" for k, v in parts.items() if kind.startswith(k) for p in v}
    assert kind in kinds(FIGURES[kind])
    assert found <= allowed


@pytest.mark.parametrize("kind", FIGURES)
def test_the_mirrored_figure_does_the_same_on_the_other_side(kind):
    swapped = [swap_left_right(k.replace("_", " ")).replace(" ", "_") for k in kinds(FIGURES[kind])]
    assert kinds(FIGURES[kind].mirror()) == swapped


@settings(max_examples=15)
@given(
    kind=st.sampled_from(sorted(FIGURES)),
    yaw=st.floats(-np.pi, np.pi),
    x=st.floats(-50, 50),
    y=st.floats(-50, 50),
)
def test_captions_do_not_depend_on_where_the_world_begins(kind, yaw, x, y):
    clip = FIGURES[kind]
    assert kinds(clip.transform(yaw, (x, y, 0.0))) == kinds(clip)


@given(wait=st.integers(30, 90))
@settings(max_examples=10)
def test_a_turn_is_found_where_it_is(wait):
    late = wait / 30
    clip = figure(4 + late, yaw=ramp(0, 90, 1 + late, 2.5 + late))
    (turn,) = (a for a in actions(signals(clip)) if a.kind == "turn_left")
    assert abs(turn.start - (30 + wait)) <= 8 and abs(turn.end - (75 + wait)) <= 8
    assert turn.amount == pytest.approx(90, abs=8)


@given(degrees=st.floats(80, 200), sign=st.sampled_from([-1, 1]))
@settings(max_examples=10)
def test_turning_on_the_way_is_measured(degrees, sign):
    clip = figure(6, forward=lambda t: 1.1 * t, yaw=ramp(0, sign * degrees, 2, 3.5), along_yaw=True)
    found = [a for a in actions(signals(clip)) if "_turn_" in a.kind or "halfcircle" in a.kind]
    assert [a.kind.rpartition("_")[2] for a in found] == ["left" if sign > 0 else "right"]
    assert found[0].amount == pytest.approx(sign * degrees, abs=12)


def test_what_follows_one_another_is_also_said_in_one_sentence():
    clip = figure(6, forward=lambda t: 1.2 * t, yaw=ramp(0, 90, 2, 3.2), along_yaw=True)
    chains = {tuple(a.kind for a in s.actions) for s in segments(clip)}
    assert ("walk_forward", "walk_turn_left", "walk_forward") in chains


def test_a_gesture_on_the_way_is_said_with_the_walk():
    clip = walk(1.2, 4, left_arm=bump(60, 0.8, 3, -75))
    assert any(s.meanwhile is not None and "left" in s.meanwhile.kind for s in segments(clip))
    assert any(
        "while" in c.text or "at the same time" in c.text or "whilst" in c.text for c in annotate(clip)
    )


def test_who_goes_with_an_arm_up_is_not_said_to_just_go():
    assert not [x for x in segments(walk(1.2, 4, left_arm=constant(60))) if x.meanwhile is None]
    assert [x for x in segments(walk(1.2, 4)) if x.meanwhile is None]


def test_slow_and_fast():
    assert {a.speed for a in actions(signals(walk(0.5)))} == {"slow"}
    assert {a.speed for a in actions(signals(walk(1.1)))} == {""}
    assert {a.speed for a in actions(signals(run(4.0)))} == {"fast"}


@pytest.mark.parametrize("metres, steps", [(0.9, 2), (1.5, 3)])
def test_few_steps_are_counted_where_one_can_be_sure(metres, steps):
    """A foot that is half up when the caption begins is a step to some and none to others: those are not counted."""
    counts = []
    for first in (1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0):
        clip = figure(5, forward=ramp(0, metres, first, first + metres / 0.8), step_rate=1.6)
        counts += [a.count for a in actions(signals(clip)) if a.kind == "walk_forward"]
    assert set(counts) <= {0, steps} and counts.count(steps) >= 5


def test_counted_steps_are_said_with_the_rest_around_them():
    clip = figure(5, forward=ramp(0, 1.5, 1.7, 3.6), step_rate=1.6)
    (going,) = (a for a in actions(signals(clip)) if a.kind == "walk_forward")
    (alone,) = (x for x in segments(clip) if x.actions == (going,) and len(going) + 30 > x.end - x.start)
    assert (alone.start, alone.end) == (going.start - 9, going.end + 9)


def test_a_shuffle_is_not_counted_as_steps():
    clip = figure(5, forward=ramp(0, 0.5, 1.7, 3.6), step_rate=2.4)
    assert {a.count for a in actions(signals(clip)) if a.kind == "walk_forward"} <= {0, 1, 2}


def test_a_caption_takes_in_less_stillness_before_than_after():
    clip = figure(8.0, yaw=ramp(0, 90, 3.0, 4.2))
    (turn,) = [a for a in actions(signals(clip)) if a.kind == "turn_left"]
    around = [x for x in segments(clip) if x.actions[0].kind == "turn_left" and len(x.actions) == 1]
    assert turn.start - 0.75 * 30 <= min(x.start for x in around) < turn.start
    assert max(x.end for x in around) > turn.end + 2.0 * 30


def trip(home, pause=0.0):
    """Two metres ahead, a turn about, perhaps standing before it, and `home` metres the way back."""
    way = lambda t: ramp(0, 2, 0.5, 2.5)(t) + ramp(0, home, 4.0 + pause, 6.0 + pause)(t)  # noqa: E731
    return figure(8.0, forward=way, yaw=ramp(0, 180, 2.5 + pause, 4.0 + pause), along_yaw=True)


@pytest.mark.parametrize("pause", [0.0, 1.0])
def test_who_walks_away_and_back_is_said_to(pause):
    found = [x for x in segments(trip(2.0, pause)) if there_and_back(x.actions)]
    assert found
    assert max(x.end for x in found) > 200 and min(x.start for x in found) < 25


def test_who_goes_round_in_a_wide_bend_and_home_comes_back():
    clip = figure(8.0, forward=ramp(0, 8, -2, 10), yaw=ramp(0, 216, 2.3, 5.1), along_yaw=True)
    assert any(x.kind == "walk_halfcircle_left" for x in actions(signals(clip)))
    assert [x for x in segments(clip) if there_and_back(x.actions)]


def test_who_goes_less_than_half_of_the_way_back_does_not_come_back():
    assert not [x for x in segments(trip(0.7)) if there_and_back(x.actions)]


def test_two_squats_are_counted():
    down_and_up = bump(-0.5, 0.6, 2.2), bump(-0.5, 2.4, 4.0)
    clip = figure(5, height=lambda t: HEIGHT + sum(d(t) for d in down_and_up))
    assert [a.count for a in actions(signals(clip)) if a.kind == "squat"] == [2]


def test_a_body_off_the_floor_for_long_gets_no_words():
    assert annotate(figure(4, forward=lambda t: 1.2 * t, lift=constant(0.4))) == []


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 10])
def test_a_very_short_clip_gets_no_caption_and_no_error(frames):
    assert annotate(walk().slice(0, frames)) == []


def test_captions_are_inside_the_clip_and_repeatable():
    clip = figure(6, forward=lambda t: 1.2 * t, yaw=ramp(0, 90, 2, 3.2), along_yaw=True)
    found = annotate(clip, seed=3)
    assert found == annotate(clip, seed=3)
    assert texts(clip)
    assert all(0 <= c.start < c.end <= len(clip) and c.origin == "motion" for c in found)


def test_treading_on_the_spot_between_standing_is_found_where_it_is():
    tread = lead_steps(walk(1.1, 3.0), 0.0, 0.0)
    clip = concatenate(figure(2.0), tread, figure(2.0))
    found = {a.kind: a for a in actions(signals(clip))}
    assert set(found) == {"stand", "walk_in_place"}
    assert found["walk_in_place"].start == pytest.approx(60, abs=20)
    assert found["walk_in_place"].end == pytest.approx(150, abs=20)


def test_an_action_takes_in_the_stillness_around_it():
    """Arms that stay up, a seat that is kept: whoever asks for it for five seconds gets it, and then holds still."""
    clip = figure(6.0, left_arm=ramp(-75, 60, 2.0, 3.0))
    [(start, end)] = {
        (x.start, x.end) for x in segments(clip) if x.kind == "raise_left" and x.end - x.start > 60
    }
    assert 40 <= start <= 50 and end >= 170
    bowing = figure(6.0, lean=bump(50, 2.0, 4.0))
    assert max(x.end - x.start for x in segments(bowing) if x.kind == "bow") > 120


def test_stillness_ends_where_something_else_begins():
    clip = figure(8.0, left_arm=bump(60, 1.0, 3.0, -75), lean=bump(50, 4.5, 6.5))
    bow = max((x for x in segments(clip) if x.kind == "bow"), key=lambda x: x.end - x.start)
    arm = max((x for x in segments(clip) if x.kind == "raise_lower_left"), key=lambda x: x.end - x.start)
    assert arm.actions[0].end <= bow.start < bow.actions[0].start
    assert arm.actions[0].end < arm.end <= bow.actions[0].start


def test_what_is_done_again_after_a_pause_is_counted():
    clip = concatenate(jump().slice(10, 80), jump())
    counts = {x.actions[0].count: (x.start, x.end) for x in segments(clip) if x.kind == "jump"}
    assert {1, 2} <= set(counts)
    assert counts[2][1] - counts[2][0] > 2 * 30
    apart = concatenate(jump(), figure(3.0), jump())
    assert {x.actions[0].count for x in segments(apart) if x.kind == "jump"} == {1}
