import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, Segment, heading
from kmm.editing import concatenate, in_place, loop

from .motions import clips, random_clip, walk

BLENDS = st.integers(0, 30)
TURNS = st.floats(-1.5, 1.5)


def roughness(positions):
    """(T - 2,) the largest second difference of any joint, metres a frame squared."""
    return np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1).max(-1)


def same_rotations(a, b, atol=1e-6):
    return np.abs((a * b).sum(-1)).min() > 1 - atol


@given(clips(), clips(), BLENDS)
def test_concatenate_adds_lengths_and_never_alters_the_first(a, b, blend):
    joined = concatenate(a, b, blend=blend)
    b = b.resample(a.fps)
    assert len(joined) == len(a) + len(b) and joined.fps == a.fps
    assert np.array_equal(joined.translation[: len(a)], a.translation)
    assert np.array_equal(joined.rotations[: len(a)], a.rotations)
    assert (joined.contacts is None) == (a.contacts is None or b.contacts is None)
    later = [Segment(s.prompt, s.start + len(a), s.end + len(a)) for s in b.segments]
    assert joined.segments == (*a.segments, *later)


@given(clips(min_frames=2), clips(max_frames=40), BLENDS)
def test_after_the_blend_the_second_is_itself_turned_and_moved(a, b, blend):
    b = b.resample(a.fps)
    rest = concatenate(a, b, blend=blend).slice(len(a) + blend, len(a) + len(b))
    b = b.slice(blend, len(b))
    if not len(rest):
        return
    assert same_rotations(rest.rotations[:, 1:], b.rotations[:, 1:])
    turn = rot.multiply(rest.rotations[:, 0], rot.inv(b.rotations[:, 0]))
    assert same_rotations(turn, turn[:1]) and np.allclose(turn[:, 1:3], 0, atol=1e-5)
    moved = rest.translation - rot.apply(turn, b.translation)
    assert np.allclose(moved, moved[0], atol=1e-4) and np.allclose(moved[:, 2], 0, atol=1e-5)


@given(TURNS, TURNS, st.integers(2, 58), BLENDS)
def test_a_steady_motion_cut_in_two_is_put_together_again(turn, lean, cut, blend):
    """Constant velocity and turning, in the root and in a joint: nothing to blend."""
    base = walk(60, turn=turn)
    time = np.arange(60)[:, None] / 30
    steady = np.tile(base.rotations[:1], (60, 1, 1))
    steady[:, 0] = base.rotations[:, 0]
    steady[:, 5] = rot.from_rotvec(lean * time * np.array([1.0, 0, 0]))
    whole = Clip(time * np.array([0.3, -1.0, 0.0]) + np.array([0, 0, 0.9]), steady, segments=base.segments)
    joined = concatenate(whole.slice(0, cut), whole.slice(cut, 60), blend=blend)
    assert np.allclose(joined.joints(), whole.joints(), atol=1e-6)


@given(TURNS, TURNS, st.integers(30, 60), st.floats(0.3, 3.0))
def test_a_seam_is_no_rougher_than_its_blend(turn, other, frames, speed):
    a, b = walk(frames, turn=turn), walk(60, turn=other, speed=speed, stride=1.3)
    joints = concatenate(a, b, blend=12).joints()
    rough = roughness(joints)
    seam = rough[frames - 2 : frames].max()  # the steps around a's last and b's first frame
    assert seam < np.delete(rough, [frames - 2, frames - 1]).max()
    hard = roughness(concatenate(a, b, blend=0).joints())[frames - 2 : frames].max()
    assert seam < hard + 0.02


def test_concatenate_wants_something_to_join():
    with pytest.raises(ValueError, match="at least one"):
        concatenate()
    with pytest.raises(ValueError, match="blend"):
        concatenate(walk(), blend=-1)


@given(clips())
def test_in_place_keeps_all_but_the_travel(clip):
    held = in_place(clip)
    assert np.ptp(held.translation[:, :2], axis=0).max() == 0
    assert np.array_equal(held.translation[:, 2], clip.translation[:, 2])
    assert np.array_equal(held.rotations, clip.rotations) and held.segments == clip.segments
    assert np.array_equal(held.translation[0], clip.translation[0])


@given(st.integers(25, 70), TURNS, st.integers(8, 20))
def test_a_loop_goes_round_smoothly(frames, turn, blend):
    clip = walk(frames, turn=turn)
    looped = loop(clip, blend=blend)
    assert len(looped) == len(clip) and looped.segments == clip.segments
    # joint rotations before the blend are untouched
    assert np.array_equal(looped.rotations[: frames - blend, 1:], clip.rotations[: frames - blend, 1:])
    assert same_rotations(looped.rotations[0], clip.rotations[0])
    twice = np.concatenate([in_place(looped).joints()] * 2)
    rough = roughness(twice)
    seam = rough[frames - 2 : frames].max()
    assert seam < np.delete(rough, [frames - 2, frames - 1]).max()
    # the heading comes back, by no more than a step of the full turn it may be led round
    back = heading(looped.rotations[-1, 0]) - heading(looped.rotations[0, 0])
    assert abs((back + np.pi) % (2 * np.pi) - np.pi) < 2 * np.pi / frames + 0.01


def test_a_loop_keeps_the_travel():
    looped = loop(walk(60, speed=1.2))
    assert np.allclose(looped.translation[-1, 1], -1.2 * 59 / 30, atol=0.01)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_clips_too_short_to_bend(frames):
    clip = random_clip(frames, 3)
    assert len(loop(clip)) == frames
    assert len(in_place(clip)) == frames
    assert len(concatenate(clip, clip)) == 2 * frames
