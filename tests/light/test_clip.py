import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, Segment, forward_kinematics, heading
from kmm.skeleton import (
    CONTACT_JOINTS,
    JOINT_INDEX,
    JOINT_NAMES,
    MIRROR,
    PARENTS,
    REST_OFFSETS,
    STANDING_HEIGHT,
    UPRIGHT,
    children,
)

from .motions import clips, random_clip, walk

ANGLES = st.floats(-3.1, 3.1)


def standing():
    """One frame in the rest pose, upright, facing -Y."""
    rotations = np.tile(rot.IDENTITY, (1, 22, 1))
    rotations[0, 0] = UPRIGHT
    return Clip(np.array([[0.0, 0, STANDING_HEIGHT]]), rotations)


def test_the_skeleton_is_smpl():
    assert len(JOINT_NAMES) == len(PARENTS) == len(MIRROR) == 22
    assert all(parent < joint for joint, parent in enumerate(PARENTS))
    assert [MIRROR[MIRROR[j]] for j in range(22)] == list(range(22))
    assert np.array_equal(REST_OFFSETS[list(MIRROR)], REST_OFFSETS * [-1, 1, 1])
    assert all(PARENTS[MIRROR[j]] == MIRROR[PARENTS[j]] for j in range(1, 22))
    assert sorted(c for j in range(22) for c in children(j)) == list(range(1, 22))
    assert [JOINT_NAMES[j] for j in CONTACT_JOINTS] == [
        "left_ankle",
        "left_foot",
        "right_ankle",
        "right_foot",
    ]


def test_the_rest_pose_stands_on_the_floor_facing_minus_y_with_its_left_at_plus_x():
    joints = dict(zip(JOINT_NAMES, standing().joints()[0], strict=True))
    assert joints["left_foot"][2] == pytest.approx(0.02, abs=0.005)
    assert joints["head"][2] > 1.5 and min(p[2] for p in joints.values()) > 0
    assert joints["left_wrist"][0] > 0.6 and joints["right_wrist"][0] < -0.6
    assert joints["left_foot"][1] < joints["left_ankle"][1] - 0.1


@given(clips())
def test_forward_kinematics_keeps_bones_and_follows_parents(clip):
    at, turn = forward_kinematics(clip.translation.astype(float), clip.rotations.astype(float))
    for joint, parent in list(enumerate(PARENTS))[1:]:
        bone = rot.apply(rot.inv(turn[:, parent]), at[:, joint] - at[:, parent])
        assert np.allclose(bone, REST_OFFSETS[joint], atol=1e-5)
        local = rot.multiply(rot.inv(turn[:, parent]), turn[:, joint])
        assert np.allclose(np.abs((local * clip.rotations[:, joint]).sum(-1)), 1, atol=1e-5)
    assert np.allclose(at[:, 0], clip.translation)


def test_forward_kinematics_of_a_raised_arm():
    clip = standing()
    clip.rotations[0, JOINT_INDEX["left_shoulder"]] = rot.from_rotvec([0, 0, np.pi / 2])
    shoulder, wrist = clip.joints()[0, [JOINT_INDEX["left_shoulder"], JOINT_INDEX["left_wrist"]]]
    length = REST_OFFSETS[JOINT_INDEX["left_elbow"]][0] + REST_OFFSETS[JOINT_INDEX["left_wrist"]][0]
    assert wrist[2] - shoulder[2] == pytest.approx(length)


def test_forward_kinematics_broadcasts():
    clip = random_clip(6, 0)
    whole = clip.joints()
    at, _ = forward_kinematics(clip.translation.reshape(2, 3, 3), clip.rotations.reshape(2, 3, 22, 4))
    assert np.allclose(at.reshape(6, 22, 3), whole)


@given(clips())
def test_mirror_reflects_every_joint(clip):
    reflected = clip.joints()[:, list(MIRROR)] * [-1, 1, 1]
    assert np.allclose(clip.mirror().joints(), reflected, atol=1e-5)
    twice = clip.mirror().mirror()
    assert np.array_equal(twice.translation, clip.translation) and np.array_equal(
        twice.rotations, clip.rotations
    )
    if clip.contacts is not None:
        assert np.array_equal(clip.mirror().contacts[:, 0], clip.contacts[:, 2])
        assert np.array_equal(twice.contacts, clip.contacts)


@given(ANGLES, st.floats(-1.3, 1.3), st.floats(-1.3, 1.3))
def test_heading_is_the_turn_about_the_vertical(yaw, pitch, roll):
    """However the body bows or leans to the side, by itself or one after the other a little."""
    turn = rot.from_rotvec([0.0, 0, yaw])
    for lean in ([pitch, 0, 0], [0, roll, 0], [pitch, roll, 0]):
        root = rot.multiply(turn, rot.multiply(rot.from_rotvec(np.array(lean)), UPRIGHT))
        assert np.cos(heading(root) - yaw) == pytest.approx(1)
    assert np.cos(heading(-np.array(root)) - yaw) == pytest.approx(1)


@given(clips(), ANGLES, st.floats(-9, 9), st.floats(-9, 9))
def test_canonical_does_not_depend_on_where_the_clip_was(clip, yaw, x, y):
    here = clip.canonical()
    assert np.allclose(here.translation[0, :2], 0, atol=1e-6)
    assert np.cos(heading(here.rotations[0, 0])) == pytest.approx(1, abs=1e-6)
    assert np.allclose(here.translation[:, 2], clip.translation[:, 2])
    there = clip.transform(yaw, (x, y, 0)).canonical()
    # a body turned upside down has two headings half a turn apart, each as good as the other
    upright = np.abs(rot.multiply(clip.rotations[0, 0], rot.inv(UPRIGHT))[[0, 3]]).max() > 0.05
    if upright:
        assert np.allclose(there.joints(), here.joints(), atol=1e-4)


@given(clips(), ANGLES)
def test_transform_moves_the_body_as_one(clip, yaw):
    turned = rot.apply(rot.from_rotvec([0.0, 0, yaw]), clip.joints())
    assert np.allclose(clip.transform(yaw, (1, 2, 3)).joints(), turned + np.array([1, 2, 3]), atol=1e-4)


@given(clips(min_frames=0), st.integers(-25, 25), st.integers(-25, 25))
def test_slice_is_a_slice_with_its_segments(clip, start, stop):
    part = clip.slice(start, stop)
    assert np.array_equal(part.translation, clip.translation[start:stop])
    assert np.array_equal(part.rotations, clip.rotations[start:stop])
    assert (part.contacts is None) == (clip.contacts is None)
    first = slice(start, stop).indices(len(clip))[0]

    def told(c, frame):
        return [s.prompt for s in c.segments if s.start <= frame < s.end]

    assert all(told(part, k) == told(clip, first + k) for k in range(len(part)))
    assert all(0 <= s.start < s.end <= len(part) for s in part.segments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"translation": np.zeros((3, 2))}, r"translation \(3, 3\)"),
        ({"rotations": np.zeros((3, 24, 4))}, r"rotations \(3, 22, 4\)"),
        ({"rotations": np.zeros((2, 22, 4))}, r"rotations \(3, 22, 4\)"),
        ({"contacts": np.zeros((3, 2))}, r"contacts must be \(3, 4\)"),
        ({"fps": 0.0}, "fps must be positive"),
        ({"fps": float("nan")}, "fps must be positive"),
    ],
)
def test_shapes_are_checked(change, message):
    good = {"translation": np.zeros((3, 3)), "rotations": np.zeros((3, 22, 4))}
    with pytest.raises(ValueError, match=message):
        Clip(**{**good, **change})


def test_length_and_seconds():
    assert len(walk(45)) == 45 and walk(45).seconds == 1.5
    assert walk(45).segments == (Segment("a person walks", 0, 45),)
