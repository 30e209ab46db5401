import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.contacts import foot_contacts
from kmm.model import features as ft
from kmm.model.planting import plant
from kmm.skeleton import CONTACT_JOINTS

from tests.data.figures import run, walk


def encoded(clip):
    contacts = foot_contacts(clip.joints(), clip.fps)
    return ft.encode(clip.__class__(clip.translation, clip.rotations, clip.fps, contacts))


def slid(features):
    """How far feet in contact move a frame, metres."""
    clip, _ = ft.decode(features)
    moved = np.linalg.norm(np.diff(clip.joints()[:, list(CONTACT_JOINTS), :2], axis=0), axis=-1)
    return moved[(features[1:, ft.CONTACTS] > 0.9) & (features[:-1, ft.CONTACTS] > 0.9)]


@given(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02))
def test_a_body_that_slides_over_its_feet_stops_sliding(ahead, aside):
    right = encoded(walk(1.2, 3.0))
    wrong = right.copy()
    wrong[:, ft.STEP] += (aside, ahead)
    before, after = slid(wrong), slid(plant(wrong, None))
    assert after.mean() < 0.35 * before.mean() + 1e-3
    np.testing.assert_array_equal(
        np.delete(plant(wrong, None), [1, 2], axis=1), np.delete(wrong, [1, 2], axis=1)
    )


def test_a_motion_whose_feet_stand_is_not_changed_where_they_do():
    # short steps: at long ones its legs are too short to stand
    features = encoded(walk(0.6, 3.0, step_rate=1.6))
    contacts = features[:, ft.CONTACTS]
    standing = np.r_[False, (contacts[1:] == contacts[:-1]).all(1)]  # a foot that has just landed still moves
    assert standing.mean() > 0.5
    changed = np.abs(plant(features, None) - features)[standing].max(-1)
    assert np.median(changed) < 1e-4 and changed.max() < 0.003  # a foot about to lift moves a little


def test_nothing_is_held_in_flight():
    features = encoded(run())
    flying = features[:, ft.CONTACTS].max(1) < 0.4
    assert flying.any()
    np.testing.assert_array_equal(plant(features, None)[flying], features[flying])


@given(st.integers(1, 88))
def test_in_pieces_as_at_once(cut):
    features = encoded(walk(1.2, 3.0))
    features[:, ft.STEP] += 0.01
    first = plant(features[:cut], None)
    second = plant(features[cut:], first[-1])
    np.testing.assert_allclose(np.concatenate([first, second]), plant(features, None), atol=1e-6)


def test_a_single_frame_stays():
    features = encoded(walk(1.2, 3.0))[:1]
    assert plant(features, None) is features
    assert plant(features, features[0]) == pytest.approx(features, abs=0.03)
