import numpy as np
from kmm.data.annotate import actions, wrists_up
from kmm.data.derived import derive
from kmm.data.signals import signals

from .figures import constant, figure, ramp, run, walk
from .test_joining import plain


def shown(recordings):
    found = list(derive(recordings, np.random.default_rng(2)))
    return found, {a.kind for d in found for a in actions(signals(d.recording.clip)) if d.kinds.match(a.kind)}


def test_walks_are_led_elsewhere_runs_reversed_and_standing_squats():
    found, kinds = shown([plain("walk", walk(1.2, 4.0)), plain("run", run()), plain("stand", figure(4.0))])
    assert kinds & {"walk_diagonal_left", "walk_diagonal_right"}
    assert {"walk_in_place", "run_backward", "squat"} <= kinds
    assert all(d.recording.commercial and not d.recording.texts for d in found)


def test_who_stands_crouches_and_gets_up_again():
    found, kinds = shown([plain("stand", figure(4.0))])
    assert {"crouch", "up_from_crouch"} <= kinds
    for d in found:
        if d.kinds.match("crouch"):
            assert d.recording.clip.translation[-1, 2] < 0.75 < d.recording.clip.translation[0, 2]


def test_only_kinds_that_the_change_shows_truly_are_used():
    _, kinds = shown([plain("walk", walk(1.2, 4.0)), plain("run", run())])
    assert not kinds & {"walk_forward", "run_forward", "stand"}


def test_what_is_too_short_gives_nothing():
    assert list(derive([plain("a", walk(1.2, 0.4)), plain("b", figure(0.4))], np.random.default_rng(0))) == []


def test_who_turns_with_an_arm_up_turns_with_hanging_arms_as_well():
    turn = figure(3.0, yaw=ramp(0, 90, 0.8, 2.0), left_arm=constant(60.0))
    found, kinds = shown([plain("turn", turn), plain("stand", figure(4.0))])
    assert "turn_left" in kinds
    (lowered,) = [d.recording.clip for d in found if d.kinds.match("turn_left")]
    assert wrists_up(signals(turn)).all() and not wrists_up(signals(lowered)).any()
    np.testing.assert_array_equal(lowered.translation, turn.translation)
