import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import heading
from kmm.data.annotate import actions
from kmm.data.blending import (
    FADE,
    backwards,
    bend_knees,
    bend_path,
    lead_steps,
    linger,
    linger_at,
    scale_turn,
    waving,
    with_arms,
)
from kmm.data.gestures import swings
from kmm.data.signals import signals
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

from .figures import bump, figure, ramp, run, walk


@given(st.floats(-180, 180), st.integers(0, 60), st.integers(2, 60))
def test_a_bent_path_turns_by_so_much_and_keeps_its_length(degrees, start, span):
    clip = walk(1.2, 4.0)
    got = bend_path(clip, degrees, start, start + span)
    turned = np.degrees(np.unwrap(heading(got.rotations[:, 0])) - heading(clip.rotations[:, 0]))
    # within so few frames the two ways round to the back cannot be told apart
    assert (turned[-1] - degrees + 180) % 360 == pytest.approx(180, abs=1e-3)
    np.testing.assert_allclose(turned[: start + 1], 0, atol=1e-9)
    steps = [np.linalg.norm(np.diff(c.translation, axis=0), axis=-1) for c in (clip, got)]
    np.testing.assert_allclose(steps[1], steps[0], atol=1e-6)
    np.testing.assert_array_equal(got.rotations[:, 1:], clip.rotations[:, 1:])


@given(st.sampled_from(["left", "right", "both"]), st.integers(0, 60))
def test_arms_of_another_motion_come_and_go(side, start):
    clip, arms = walk(1.2, 4.0), figure(2.0, left_arm=lambda t: 80 + 0 * t, right_arm=lambda t: 60 + 0 * t)
    got = with_arms(clip, arms, side, start)
    end = start + len(arms)
    taken = [
        j for j in JOINT_NAMES if side in ("both", j.split("_")[0]) and j.endswith(("shoulder", "elbow"))
    ]
    for name in taken:
        j = JOINT_INDEX[name]
        middle = slice(start + FADE, end - FADE)
        difference = rot.multiply(
            rot.inv(got.rotations[middle, j]), arms.rotations[FADE : len(arms) - FADE, j]
        )
        assert rot.magnitude(difference).max() < 1e-5
    arm_joints = [
        j for j, n in enumerate(JOINT_NAMES) if n.endswith(("collar", "shoulder", "elbow", "wrist"))
    ]
    others = [j for j in range(22) if j not in arm_joints]
    np.testing.assert_array_equal(got.rotations[:, others], clip.rotations[:, others])
    outside = np.r_[0 : start + 1, end - 1 : len(clip)]
    np.testing.assert_allclose(got.rotations[outside], clip.rotations[outside], atol=1e-6)


@given(st.sampled_from(["left", "right", "both"]), st.floats(20, 40), st.floats(1.2, 2.3))
def test_waving_arms_swing_so_often_and_nothing_else_moves(side, degrees, hertz):
    clip = figure(5.0, left_arm=lambda t: 60 + 0 * t, right_arm=lambda t: 60 + 0 * t)
    start, stop = 30, 120
    got = waving(clip, side, start, stop, degrees, hertz)
    for number, name in enumerate(("left", "right")):
        turns, _ = swings(signals(got), number, 0, len(got))
        expected = 2 * hertz * (stop - start) / 30 if side in (name, "both") else 0
        assert abs(turns - expected) <= 3
    moved = [
        JOINT_INDEX[f"{n}_{j}"]
        for n in ("left", "right")
        if side in (n, "both")
        for j in ("shoulder", "elbow")
    ]
    others = [j for j in range(22) if j not in moved]
    np.testing.assert_array_equal(got.rotations[:, others], clip.rotations[:, others])
    outside = np.r_[0 : start + 1, stop - 1 : len(clip)]
    np.testing.assert_allclose(got.rotations[outside], clip.rotations[outside], atol=1e-6)


def test_arms_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        with_arms(walk(1.2, 1.0), figure(2.0), "left", 0)


@given(st.floats(0, 3), st.floats(0, 3))
def test_a_held_pose_lasts_so_long_and_hardly_moves(before, after):
    clip = figure(2.0, left_arm=ramp(-75.0, 60.0, 0.3, 1.7))
    got = linger(clip, before, after)
    lead, tail = round(before * 30), round(after * 30)
    assert len(got) == len(clip) + lead + tail
    for held, pose in (
        (got.slice(0, lead), clip.joints()[0]),
        (got.slice(len(got) - tail, len(got)), clip.joints()[-1]),
    ):
        if len(held):
            assert np.linalg.norm(held.joints() - pose, axis=-1).max() < 0.03
    fastest = np.linalg.norm(np.diff(clip.joints(), axis=0), axis=-1).max()
    assert np.linalg.norm(np.diff(got.joints(), axis=0), axis=-1).max() < 1.05 * fastest


@given(st.integers(5, 54), st.integers(5, 90))
def test_a_pose_in_the_middle_is_held_and_all_else_goes_on(frame, frames):
    clip = figure(2.0, left_arm=bump(60.0, 0.3, 1.7, -75.0))
    got = linger_at(clip, frame, frames)
    assert len(got) == len(clip) + frames
    held = got.joints()[frame + 6 : frame + frames - 5]  # it comes to rest and goes on smoothly
    sway = np.linalg.norm(clip.joints()[3:] - clip.joints()[:-3], axis=-1).max()
    assert np.linalg.norm(held - clip.joints()[frame], axis=-1).max(initial=0) < sway
    ends = got.joints()[[0, -1]] - clip.joints()[[0, -1]]
    assert np.linalg.norm(ends, axis=-1).max() < 0.05


@given(st.floats(0.5, 2.0), st.floats(-120, 120))
def test_a_scaled_turn_goes_so_much_farther_and_is_the_same_else(share, degrees):
    clip = figure(3.0, yaw=ramp(0.0, degrees, 0.8, 2.2))
    got = scale_turn(clip, share)
    turned = np.degrees(np.unwrap(heading(got.rotations[:, 0])))
    assert turned[-1] - turned[0] == pytest.approx(share * degrees, abs=0.02 * abs(degrees) + 1e-3)
    np.testing.assert_array_equal(got.rotations[:, 1:], clip.rotations[:, 1:])
    np.testing.assert_array_equal(got.translation[:, 2], clip.translation[:, 2])


ANKLES = [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]]


@given(st.floats(-50, 50), st.floats(0.0, 1.0))
def test_steps_led_elsewhere_go_there_and_feet_that_stood_stand(degrees, share):
    clip = walk(1.1, 4.0)
    got = lead_steps(clip, degrees, share)
    way = got.translation[-1] - got.translation[0]
    length = share * np.linalg.norm(clip.translation[-1] - clip.translation[0])
    angle = np.radians(degrees)  # the figure faces -Y
    np.testing.assert_allclose(
        way[:2], length * np.array([np.sin(angle), -np.cos(angle)]), atol=0.01 * length + 0.01
    )
    before, after = clip.joints()[:, ANKLES, :2], got.joints()[:, ANKLES, :2]
    slid = np.linalg.norm(np.diff(after, axis=0), axis=-1)[
        np.linalg.norm(np.diff(before, axis=0), axis=-1) < 1e-4
    ]
    assert np.median(slid) < 1e-3 and slid.max() < 0.02  # where a leg would have to be longer than it is
    np.testing.assert_allclose(heading(got.rotations[:, 0]), heading(clip.rotations[:, 0]), atol=1e-9)


@pytest.mark.parametrize(
    "degrees, share, kind",
    [(40, 0.9, "walk_diagonal_left"), (-40, 0.9, "walk_diagonal_right"), (0, 0, "walk_in_place")],
)
def test_what_led_steps_are_called(degrees, share, kind):
    assert {a.kind for a in actions(signals(lead_steps(walk(1.1, 4.0), degrees, share)))} == {kind}


@pytest.mark.parametrize("lift", [1.0, 1.5, 2.5])
def test_feet_come_up_so_many_times_as_high_and_stand_where_they_stood(lift):
    clip = walk(1.1, 4.0)
    plain, high = (lead_steps(clip, 0.0, 0.0, x).joints()[:, ANKLES, 2] for x in (1.0, lift))
    up = plain - plain.min(0)
    np.testing.assert_allclose(high - plain, (lift - 1) * np.maximum(up - 0.04, 0.0), atol=0.02)
    np.testing.assert_allclose(high[up < 0.035], plain[up < 0.035], atol=1e-3)


@given(st.floats(0.1, 0.5), st.floats(0, 40))
def test_bent_knees_lower_the_pelvis_over_feet_that_stay(depth, lean):
    clip = figure(3.0)
    down = bump(1.0, 0.5, 2.5)(np.arange(len(clip)) / clip.fps)
    got = bend_knees(clip, down, depth, lean)
    np.testing.assert_allclose(clip.translation[:, 2] - got.translation[:, 2], depth * down, atol=1e-6)
    np.testing.assert_allclose(got.joints()[:, ANKLES], clip.joints()[:, ANKLES], atol=1e-3)
    np.testing.assert_allclose(got.rotations[down == 0], clip.rotations[down == 0], atol=1e-6)


def test_a_motion_backwards_twice_is_itself_and_who_ran_ahead_runs_backward():
    clip = run(2.6, 3.0)
    again = backwards(backwards(clip))
    np.testing.assert_array_equal(again.rotations, clip.rotations)
    np.testing.assert_array_equal(again.translation, clip.translation)
    (found,) = actions(signals(backwards(clip)))
    assert found.kind == "run_backward"
