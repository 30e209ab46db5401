import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kmm.model import features as ft
from kmm.model.footing import Footing
from kmm.skeleton import CONTACT_JOINTS, JOINT_INDEX

from tests.data.figures import run, walk

from .test_planting import encoded

LEGS = [JOINT_INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "ankle")]
TURNED = np.concatenate([np.arange(4 + 6 * j, 10 + 6 * j) for j in LEGS])


def slid(features):
    """How far toes in contact move a frame, metres."""
    clip, _ = ft.decode(features)
    toes = clip.joints()[:, list(CONTACT_JOINTS), :2][:, [1, 3]]
    touch = features[:, ft.CONTACTS][:, [1, 3]] > 0.9
    return np.linalg.norm(np.diff(toes, axis=0), axis=-1)[touch[1:] & touch[:-1]]


def sliding(ahead, aside):
    features = encoded(walk(0.8, 3.0, step_rate=1.6))
    features[:, ft.STEP] += (aside, ahead)
    return features


@given(st.floats(-0.0025, 0.0025), st.floats(-0.0025, 0.0025))
def test_feet_that_slide_stand_and_only_legs_turn(ahead, aside):
    # a foot slides by at most 8 cm while it stands here: farther ones are let go
    wrong = sliding(ahead, aside)
    right = Footing()(wrong)
    assert slid(right).mean() < 0.4 * slid(wrong).mean() + 5e-4
    np.testing.assert_array_equal(np.delete(right, TURNED, axis=1), np.delete(wrong, TURNED, axis=1))


@given(st.lists(st.integers(1, 89), max_size=4))
def test_in_pieces_as_at_once(cuts):
    features, footing = sliding(0.005, 0.0), Footing()
    parts = [footing(part) for part in np.split(features, sorted(cuts))]
    np.testing.assert_allclose(np.concatenate(parts), Footing()(features), atol=1e-5)


def test_nothing_pops():
    def fastest(features):
        return np.linalg.norm(np.diff(ft.decode(features)[0].joints(), axis=0), axis=-1).max()

    wrong = sliding(0.006, 0.003)
    assert fastest(Footing()(wrong)) < 1.3 * fastest(wrong)


def test_a_shift_is_never_larger_than_a_foot_may_be_meant_to_stand():
    features = encoded(walk(0.6, 3.0))
    features[:, ft.CONTACTS] = 1.0  # contacts that are all wrong
    before, after = (ft.decode(f)[0].joints() for f in (features, Footing()(features)))
    moved = np.linalg.norm(after - before, axis=-1)[:, list(CONTACT_JOINTS)]
    assert moved.max() < 0.15


def test_a_run_that_touches_the_floor_for_a_moment_stays_a_run():
    features = encoded(run())
    before, after = (ft.decode(f)[0].joints() for f in (features, Footing()(features)))
    assert np.median(np.linalg.norm(after - before, axis=-1).max(-1)) < 0.02
