import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import heading
from kmm.data.blending import FADE, bend_path, with_arms
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

from .figures import figure, walk


@given(st.floats(-180, 180), st.integers(0, 60), st.integers(2, 60))
def test_a_bent_path_turns_by_so_much_and_keeps_its_length(degrees, start, span):
    clip = walk(1.2, 4.0)
    got = bend_path(clip, degrees, start, start + span)
    turned = np.degrees(np.unwrap(heading(got.rotations[:, 0])) - heading(clip.rotations[:, 0]))
    assert turned[-1] == pytest.approx(degrees, abs=1e-3)
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


def test_arms_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        with_arms(walk(1.2, 1.0), figure(2.0), "left", 0)
