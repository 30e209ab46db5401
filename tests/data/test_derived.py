import numpy as np
from kmm.data.annotate import actions
from kmm.data.derived import derive
from kmm.data.signals import signals

from .figures import figure, run, walk
from .test_joining import plain


def shown(recordings):
    found = list(derive(recordings, np.random.default_rng(2)))
    return found, {a.kind for d in found for a in actions(signals(d.recording.clip)) if d.kinds.match(a.kind)}


def test_walks_are_led_elsewhere_runs_reversed_and_standing_squats():
    found, kinds = shown([plain("walk", walk(1.2, 4.0)), plain("run", run()), plain("stand", figure(4.0))])
    assert kinds & {"walk_diagonal_left", "walk_diagonal_right"}
    assert {"walk_in_place", "run_backward", "squat"} <= kinds
    assert all(d.recording.commercial and not d.recording.texts for d in found)


def test_only_kinds_that_the_change_shows_truly_are_used():
    _, kinds = shown([plain("walk", walk(1.2, 4.0)), plain("run", run())])
    assert not kinds & {"walk_forward", "run_forward", "stand"}


def test_what_is_too_short_gives_nothing():
    assert list(derive([plain("a", walk(1.2, 0.4)), plain("b", figure(0.4))], np.random.default_rng(0))) == []
