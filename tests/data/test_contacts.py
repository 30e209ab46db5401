import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kmm.contacts import foot_contacts, hysteresis

from .figures import constant, figure, run, walk


def test_a_standing_figure_is_in_contact_everywhere():
    clip = figure(2)
    assert foot_contacts(clip.joints(), clip.fps).all()


def test_a_floating_figure_is_in_contact_nowhere():
    clip = figure(2, lift=constant(0.3))
    assert not foot_contacts(clip.joints(), clip.fps).any()


def test_a_walk_stands_on_each_foot_as_long_as_it_was_made_to():
    clip = walk(1.1, 6, stance=0.6)
    contacts = foot_contacts(clip.joints(), clip.fps)
    assert contacts.shape == (len(clip), 4) and contacts.dtype == np.float32
    assert np.all(np.abs(contacts[:, [0, 2]].mean(0) - 0.6) < 0.1)
    assert contacts[:, :2].max(1).astype(bool).any() and (contacts.max(1) > 0).all()


def test_a_run_has_frames_without_contact():
    clip = run()
    assert (foot_contacts(clip.joints(), clip.fps).max(1) == 0).mean() > 0.15


def test_mirroring_exchanges_the_feet():
    clip = walk(1.1, 3)
    contacts = foot_contacts(clip.joints(), clip.fps)
    assert np.array_equal(foot_contacts(clip.mirror().joints(), clip.fps), contacts[:, [2, 3, 0, 1]])


def test_no_frames_and_one_frame():
    joints = walk().joints()
    assert foot_contacts(joints[:0], 30.0).shape == (0, 4)
    assert foot_contacts(joints[:1], 30.0).shape == (1, 4)


@given(hnp.arrays(bool, st.integers(0, 40)), st.data())
def test_hysteresis_is_the_state_machine_written_out(on, data):
    off = data.draw(hnp.arrays(bool, len(on)))
    state, expected = False, []
    for i in range(len(on)):
        state = True if on[i] else False if off[i] else state
        expected.append(state)
    assert hysteresis(on, off).tolist() == expected
