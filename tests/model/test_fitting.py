"""Fitting, without a network: what is given comes back, seams do not jump, a loop meets its start."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, heading
from kmm.given import Given
from kmm.model import features as ft
from kmm.model.fitting import Fit, close

from ..light.motions import random_clip, walk

FRAMES = 90


def features_of(clip: Clip) -> np.ndarray:
    features = ft.encode(clip)
    features[0, :3] = 0.0
    return features


def jumps(clip: Clip) -> np.ndarray:
    """(T - 2,) the largest change of a joint's velocity from one frame to the next, metres a frame."""
    return np.linalg.norm(np.diff(clip.joints().astype(np.float64), n=2, axis=0), axis=-1).max(-1)


walks = st.builds(
    walk,
    st.just(FRAMES),
    turn=st.floats(-0.8, 0.8),
    speed=st.floats(0.0, 2.0),
    stride=st.floats(0.7, 1.3),
)
sets = st.sets(st.integers(0, FRAMES - 1), min_size=1).map(sorted)
stretches = st.lists(st.integers(0, FRAMES), min_size=2, max_size=8, unique=True).map(
    lambda cuts: [f for a, b in zip(sorted(cuts)[::2], sorted(cuts)[1::2], strict=False) for f in range(a, b)]
)


@given(st.integers(0, 100), st.integers(0, 100), sets | stretches, st.integers(0, 60))
def test_given_frames_come_back_bit_for_bit_whatever_was_made(
    made: int, wanted: int, frames: list[int], transition: int
) -> None:
    source = random_clip(FRAMES, wanted)
    picked = Given.of(source, frames)
    clip = Fit(features_of(random_clip(FRAMES, made)), picked, transition)(
        features_of(random_clip(FRAMES, made))
    )
    assert len(clip) == FRAMES
    np.testing.assert_array_equal(clip.rotations[frames], picked.rotations)
    np.testing.assert_array_equal(clip.translation[frames], picked.translation)
    assert np.isfinite(clip.translation).all()
    np.testing.assert_allclose(np.linalg.norm(clip.rotations, axis=-1), 1.0, atol=1e-5)


@given(walks, sets | stretches, st.floats(-3, 3), st.floats(-50, 50))
def test_a_motion_that_is_right_already_is_only_moved_to_its_place(
    clip: Clip, frames: list[int], yaw: float, away: float
) -> None:
    wanted = clip.transform(yaw, [away, -away / 2, 0.0])
    fitted = Fit(features_of(clip), Given.of(wanted, frames))(features_of(clip))
    np.testing.assert_allclose(fitted.joints(), wanted.joints(), atol=2e-3)


@given(
    walks,
    walks,
    st.tuples(st.integers(0, 20), st.integers(2, 15), st.integers(24, 40), st.integers(2, 15)),
    st.floats(-3, 3),
)
def test_seams_with_stretches_jump_no_more_than_bending_must(
    made: Clip, wanted: Clip, lengths: tuple[int, ...], yaw: float
) -> None:
    a, b, c, d = itertools.accumulate(lengths)
    wanted = wanted.transform(yaw, [1.0, 2.0, 0.0])
    features = features_of(made)
    fitted = Fit(features, Given.of(wanted, [*range(a, b), *range(c, d)]))(features)
    must = max(bending(made, end, wanted, end, 12) for end in (a + 1, b - 1, c + 1, d - 1))
    # and between the stretches what is left over in way and turn
    way = [np.linalg.norm(m.translation[c] - m.translation[b]) for m in (made, wanted)]
    turn = [abs(heading(m.rotations[c, 0]) - heading(m.rotations[b, 0])) for m in (made, wanted)]
    must += (sum(way) + sum(turn)) / 12 / 12
    assert jumps(fitted).max() < 1.5 * max(jumps(made).max(), jumps(wanted).max()) + must


def bending(a: Clip, at_a: int, b: Clip, at_b: int, frames: int) -> float:
    """The largest change of velocity where one motion is bent within some frames to where the other is and how it
    moves: that of quintics with the joints' distances and differences in velocity at one end, none at the other."""
    first, second = (c.slice(f - 1, f + 1).canonical().joints() for c, f in ((a, at_a), (b, at_b)))
    apart = np.linalg.norm(first - second, axis=-1).max()
    faster = np.linalg.norm(np.diff(first, axis=0) - np.diff(second, axis=0), axis=-1).max()
    return float(5.8 * apart / frames**2 + 4.0 * faster / frames)


@given(walks, sets | stretches, st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_in_pieces_it_is_the_same_as_at_once(clip: Clip, frames: list[int], sizes: list[int]) -> None:
    features, picked = features_of(clip), Given.of(random_clip(FRAMES, 1), frames)
    whole = Fit(features, picked)(features)
    fit, parts, at = Fit(features, picked), [], 0
    for size in [*sizes, FRAMES]:
        parts.append(fit(features[at : at + size]))
        at += size
    np.testing.assert_allclose(np.concatenate([p.translation for p in parts]), whole.translation, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([p.rotations for p in parts]), whole.rotations, atol=1e-5)


@given(walks, st.floats(-3, 3), st.floats(-3, 3))
def test_the_way_between_two_poses_is_bent_evenly(clip: Clip, x: float, y: float) -> None:
    moved = clip.translation[[0, -1]].astype(np.float32)
    moved[1, :2] += [x, y]
    picked = Given(np.array([0, FRAMES - 1]), moved, clip.rotations[[0, -1]])
    fitted = Fit(features_of(clip), picked)(features_of(clip))
    added = np.diff(fitted.translation - clip.translation, axis=0)[:, :2]
    even = np.hypot(x, y) / (FRAMES - 1)
    assert np.linalg.norm(added, axis=-1).max() < 1.5 * even + 1e-3


def test_what_is_not_within_the_transition_keeps_its_pose() -> None:
    made, wanted = walk(FRAMES), random_clip(FRAMES, 3)
    fitted = Fit(features_of(made), Given.of(wanted, range(40, 50)), 12)(features_of(made))
    for part in (slice(0, 28), slice(62, FRAMES)):
        np.testing.assert_allclose(
            np.abs((fitted.rotations[part, 1:] * made.rotations[part, 1:]).sum(-1)), 1.0, atol=1e-6
        )


def again(clip: Clip) -> Clip:
    """The clip and itself once more, put where the path goes on."""
    yaw = float(heading(clip.rotations[-1, 0]) + heading(clip.rotations[1, 0]))
    yaw -= 2 * float(heading(clip.rotations[0, 0]))
    turned = clip.transform(yaw)
    step = turned.translation[1] - turned.translation[0]
    place = clip.translation[-1] + step - turned.translation[0]
    turned = turned.transform(0.0, [*place[:2], 0.0])
    return Clip(
        np.concatenate([clip.translation, turned.translation]),
        np.concatenate([clip.rotations, turned.rotations]),
    )


@given(walks, st.integers(3, 40))
def test_a_loop_meets_its_start_in_pose_and_velocity(clip: Clip, bent_frames: int) -> None:
    total = FRAMES - 2
    end = close(clip.slice(total - bent_frames, FRAMES), clip.slice(0, 2))
    assert len(end) == bent_frames
    looped = Clip(
        np.concatenate([clip.translation[: total - bent_frames], end.translation]),
        np.concatenate([clip.rotations[: total - bent_frames], end.rotations]),
    )
    twice = again(looped)
    seam = jumps(twice)[total - 3 : total + 1]
    must = bending(clip, total + 1, clip, 1, bent_frames)
    assert seam.max() < 1.5 * jumps(clip).max() + must


def test_a_loop_ends_as_fast_as_it_starts() -> None:
    clip = walk(FRAMES, turn=0.3)
    steps = np.diff(clip.translation, axis=0) * np.linspace(1, 2, FRAMES - 1)[:, None] * [1, 1, 0]
    faster = replace(
        clip, translation=clip.translation + np.cumsum(np.concatenate([steps[:1], steps]), axis=0)
    )
    end = close(faster.slice(70, FRAMES), faster.slice(0, 2))

    def speed(clip: Clip, frame: int) -> float:
        return float(np.linalg.norm(np.diff(clip.translation[frame : frame + 2, :2], axis=0)))

    before, after = (speed(c, f) - speed(faster, 0) for c, f in ((faster, FRAMES - 4), (end, len(end) - 2)))
    assert after < 0.1 * before


def test_a_loop_that_meets_already_is_left_alone() -> None:
    period = 100 / 3  # frames of a stride at 0.9 a second
    clip = walk(103, turn=0.3)
    clip = replace(clip, contacts=None)
    assert 3 * period == 100
    end = close(clip.slice(80, 102), clip.slice(0, 2))
    np.testing.assert_allclose(end.joints(), clip.slice(80, 100).joints(), atol=1e-4)


@pytest.mark.parametrize("angle", [np.pi - 1e-3, np.pi, 2.0])
def test_a_pose_half_a_turn_off_is_met_without_a_spin(angle: float) -> None:
    made = walk(FRAMES)
    wanted = made.rotations.copy()
    wanted[:, 16] = rot.multiply(rot.from_rotvec([angle, 0.0, 0.0]), wanted[:, 16])
    picked = Given.of(replace(made, rotations=wanted), range(40, 50))
    fitted = Fit(features_of(made), picked)(features_of(made))
    turn = rot.magnitude(rot.multiply(fitted.rotations[1:, 16], rot.inv(fitted.rotations[:-1, 16])))
    assert turn.max() < 2.5 * angle / 12 + 0.1
