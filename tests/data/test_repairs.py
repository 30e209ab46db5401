from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.data.repairs import LIMITS, repaired
from kmm.skeleton import JOINT_INDEX

from .figures import walk


def turned(joint: str, degrees: float, frames: slice):
    clip = walk(1.2, 2.0)
    rotations = clip.rotations.copy()
    rotations[frames, JOINT_INDEX[joint]] = rot.from_rotvec(np.radians([0.0, degrees, 0.0]))
    return replace(clip, rotations=rotations)


def test_a_possible_motion_is_left_alone():
    clip = walk(1.2, 2.0)
    same, mended = repaired(clip)
    assert same is clip and mended == []


@given(st.sampled_from(sorted(LIMITS)), st.floats(125, 180), st.integers(0, 50), st.integers(1, 10))
def test_no_joint_stays_beyond_its_limit(joint, degrees, start, length):
    clip = turned(joint, degrees, slice(start, start + length))
    got, mended = repaired(clip)
    angle = np.degrees(rot.magnitude(got.rotations[:, JOINT_INDEX[joint]]))
    assert angle.max() <= LIMITS[joint] and len(mended) == 1 and joint in mended[0]
    others = [j for j in range(22) if j != JOINT_INDEX[joint]]
    np.testing.assert_array_equal(got.rotations[:, others], clip.rotations[:, others])
    far = np.r_[0 : max(0, start - 6), start + length + 6 : len(clip)]
    np.testing.assert_array_equal(got.rotations[far], clip.rotations[far])


def test_a_joint_that_is_never_right_is_put_at_rest():
    got, _ = repaired(turned("head", 178, slice(None)))
    assert rot.magnitude(got.rotations[:, JOINT_INDEX["head"]]).max() == pytest.approx(0)
