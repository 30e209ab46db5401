"""Features: the identity there and back, and the same geometry as the clip's own forward kinematics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, heading
from kmm.model import features as ft
from kmm.model import kinematics as kin

from ..light.motions import random_clip, walk

clips = st.builds(random_clip, st.integers(2, 20), st.integers(0, 2**31))


def same_motion(a: Clip, b: Clip, atol: float) -> None:
    np.testing.assert_allclose(a.translation, b.translation, atol=atol)
    assert rot.magnitude(rot.multiply(rot.inv(a.rotations), b.rotations)).max() < 10 * atol
    np.testing.assert_allclose(a.joints(), b.joints(), atol=atol)


@settings(deadline=None, max_examples=30)
@given(clips)
def test_there_and_back_is_the_identity(clip: Clip) -> None:
    back, end = ft.decode(ft.encode(clip))
    same_motion(clip, back, 1e-4)
    np.testing.assert_allclose([end.x, end.y], clip.translation[-1, :2], atol=1e-4)
    assert back.contacts is not None and clip.contacts is not None
    np.testing.assert_allclose(back.contacts, clip.contacts, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(clips)
def test_decoding_in_two_parts_is_decoding_at_once(clip: Clip) -> None:
    features = ft.encode(clip)
    cut = len(features) // 2
    first, state = ft.decode(features[:cut])
    second, _ = ft.decode(features[cut:], state)
    whole, _ = ft.decode(features)
    np.testing.assert_allclose(
        np.concatenate([first.translation, second.translation]), whole.translation, atol=1e-9
    )


def test_features_do_not_see_where_the_body_stands_or_faces() -> None:
    clip = walk(40, turn=0.5)
    moved = clip.transform(1.1, (3.0, -2.0, 0.0))
    np.testing.assert_allclose(ft.encode(clip)[1:], ft.encode(moved)[1:], atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(clips)
def test_mirror_is_the_mirrored_clip(clip: Clip) -> None:
    # a turn of half a circle in one frame has no sign, so headings are kept away from it
    clip.rotations[:, 0] = walk(len(clip)).rotations[:, 0]
    np.testing.assert_allclose(ft.mirror(ft.encode(clip)), ft.encode(clip.mirror()), atol=1e-5)


def test_other_frame_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="resample"):
        ft.encode(replace(walk(10), fps=24.0))


def test_positions_are_the_clips_own_in_the_heading_frame() -> None:
    clip = walk(30, turn=1.0)
    features = torch.from_numpy(ft.encode(clip)).double()
    joints = kin.positions(features).numpy()
    yaw = heading(clip.rotations[:, 0])
    root = clip.translation * [1, 1, 0]
    expected = rot.apply(
        rot.from_rotvec(-yaw[:, None, None] * np.array([0, 0, 1.0])), clip.joints() - root[:, None]
    )
    np.testing.assert_allclose(joints, expected, atol=1e-5)


def test_velocities_are_world_differences_turned_into_the_heading_frame() -> None:
    clip = walk(30, turn=1.0)
    features = torch.from_numpy(ft.encode(clip)).double()
    moved = kin.velocities(features, kin.positions(features)).numpy()
    yaw = heading(clip.rotations[1:, 0])
    expected = rot.apply(
        rot.from_rotvec(-yaw[:, None, None] * np.array([0, 0, 1.0])), np.diff(clip.joints(), axis=0)
    )
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_path_is_where_the_pelvis_goes() -> None:
    clip = walk(30, turn=1.0)
    path = kin.path(torch.from_numpy(ft.encode(clip)).double()).numpy()
    np.testing.assert_allclose(path[:, 0], np.unwrap(heading(clip.rotations[:, 0])), atol=1e-5)
    np.testing.assert_allclose(path[:, 1:], clip.translation[:, :2], atol=1e-5)
