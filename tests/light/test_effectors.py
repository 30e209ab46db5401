"""Hands and feet come to where they are wanted, without a jerk, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, forward_kinematics
from kmm.effectors import BLEND_SECONDS, LIMBS, lead
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

from ..data.figures import walk
from .motions import random_clip

WALK = walk(1.1, 4)
MOVED = {  # the joints that may turn, and those whose places then change
    name: ([limb.start, limb.joint, limb.end], [i for i, n in enumerate(JOINT_NAMES) if n.startswith(side)])
    for name, limb in LIMBS.items()
    for side in [name.split("_")[0]]
}


def length(name: str) -> float:
    """Of the limb, stretched out."""
    joints = random_clip(1, 0).joints()[0]
    limb = LIMBS[name]
    return float(
        np.linalg.norm(joints[limb.joint] - joints[limb.start])
        + np.linalg.norm(joints[limb.end] - joints[limb.joint])
    )


@st.composite
def targets(draw: st.DrawFn, clip: Clip, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Frames, and places within the limb's reach at each."""
    frames = np.array(sorted(draw(st.sets(st.integers(0, len(clip) - 1), min_size=1, max_size=5))))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    way = rng.normal(size=(len(frames), 3))
    way *= (rng.uniform(0.3, 0.95, len(frames)) * length(name) / np.linalg.norm(way, axis=-1))[:, None]
    return frames, clip.joints()[frames, LIMBS[name].start] + way


@settings(max_examples=40)
@given(data=st.data(), seed=st.integers(0, 50), name=st.sampled_from(sorted(LIMBS)))
def test_it_is_where_it_is_wanted_as_it_is_wanted(data, seed, name):
    clip = random_clip(60, seed)
    frames, places = data.draw(targets(clip, name))
    turns = rot.normalize(np.random.default_rng(seed).normal(size=(len(frames), 4)))
    for rotations in (None, turns):
        led = lead(clip, name, frames, places, rotations)
        joints, world = forward_kinematics(led.translation, led.rotations)
        np.testing.assert_allclose(joints[frames, JOINT_INDEX[name]], places, atol=1e-6)
        if rotations is not None:
            off = rot.magnitude(rot.multiply(world[frames, JOINT_INDEX[name]], rot.inv(turns)))
            assert off.max() < 1e-5
        others = np.setdiff1d(np.arange(22), MOVED[name][0])
        np.testing.assert_array_equal(led.rotations[:, others], clip.rotations[:, others])
        np.testing.assert_array_equal(led.translation, clip.translation)
        far = np.abs(np.arange(60)[:, None] - frames).min(-1) >= BLEND_SECONDS * clip.fps
        np.testing.assert_array_equal(led.rotations[far], clip.rotations[far])


@settings(max_examples=20)
@given(
    name=st.sampled_from(sorted(LIMBS)),
    frame=st.integers(30, 90),
    shift=st.tuples(*[st.floats(-0.15, 0.15)] * 3),
)
def test_it_comes_and_goes_without_a_jerk(name: str, frame: int, shift: tuple[float, float, float]) -> None:
    limb = LIMBS[name]
    made = WALK.joints()
    place = made[frame, limb.end] + np.array(shift)
    reach = (np.linalg.norm(p - made[frame, limb.start]) for p in (place, made[frame, limb.end]))
    assume(next(reach) <= next(reach))  # a straight limb that is to be longer than it is stops at its end
    led = lead(WALK, name, [frame], [place])
    change = led.joints()[:, limb.end] - made[:, limb.end]
    # all at once, the second difference would be the whole shift
    assert np.linalg.norm(np.diff(change, n=2, axis=0), axis=-1).max() < 0.1 * np.linalg.norm(shift) + 1e-9
    both = [rot.magnitude(rot.multiply(c.rotations[1:], rot.inv(c.rotations[:-1]))) for c in (led, WALK)]
    assert np.degrees(both[0] - both[1]).max() < 20, "a joint turns no faster than that in a frame"


def test_out_of_reach_it_points_there():
    limb = LIMBS["left_wrist"]
    shoulder = WALK.joints()[40, limb.start]
    led = lead(WALK, "left_wrist", [40], [shoulder + np.array([3.0, 0.0, 0.0])])
    hand = led.joints()[40, limb.end] - shoulder
    np.testing.assert_allclose(hand, [length("left_wrist"), 0, 0], atol=1e-3)


@pytest.mark.parametrize("name", ["left_wrist", "right_wrist"])
def test_a_straight_arm_bends_as_elbows_do(name: str) -> None:
    """From the T-pose, hands brought to the chest: elbows point backwards and out, not forwards."""
    rest = np.tile(rot.IDENTITY, (31, 22, 1))
    rest[:, 0] = [0.5**0.5, 0.5**0.5, 0, 0]
    clip = Clip(np.tile([0.0, 0.0, 1.0], (31, 1)), rest)
    shoulder = clip.joints()[15, LIMBS[name].start]
    led = lead(clip, name, [15], [shoulder + np.array([0.0, -0.3, 0.0])])  # ahead is -Y
    joints = led.joints()[15]
    middle = (joints[LIMBS[name].start] + joints[LIMBS[name].end]) / 2
    out = np.sign(shoulder[0])
    assert (joints[LIMBS[name].joint] - middle)[0] * out > 0.05


def test_fixed_poses_stay():
    place = WALK.joints()[40, LIMBS["right_wrist"].end] + [0.1, -0.1, 0.2]
    led = lead(WALK, "right_wrist", [40], [place], fixed=[34, 50])
    np.testing.assert_array_equal(led.rotations[[34, 50]], WALK.rotations[[34, 50]])
    np.testing.assert_allclose(led.joints()[40, LIMBS["right_wrist"].end], place, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"joint": "head"}, "'head' cannot be led"),
        ({"frames": [3, 3], "positions": np.zeros((2, 3))}, "ascend"),
        ({"frames": [1000]}, "ascend"),
        ({"frames": [], "positions": np.zeros((0, 3))}, "as many positions"),
        ({"positions": np.zeros((1, 2))}, "as many positions"),
        ({"rotations": np.ones((2, 4))}, "as many rotations"),
        ({"fixed": [3]}, "frame 3 must not change"),
    ],
)
def test_what_does_not_fit_together(change, sentence):
    asked = {"joint": "left_wrist", "frames": [3], "positions": np.zeros((1, 3))} | change
    with pytest.raises(ValueError, match=sentence):
        lead(WALK, **asked)
