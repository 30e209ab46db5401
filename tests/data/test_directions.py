"""The predicates that judge what a model makes, tried on figures that surely do the thing, and on the others."""

import numpy as np
import pytest
from kmm.data.actions import Action
from kmm.data.wording import GOING, KINDS, describe, swap_left_right
from kmm.evaluation.directions import PROMPTS, checks, score, table

from .figures import HEIGHT, bump, figure, jump, ramp, run, walk
from .test_annotate import FIGURES

DOES = {
    "walk forward": walk(),
    "walk slowly": walk(0.5),
    "walk fast": walk(1.6, step_rate=2.1),
    "run": run(),
    "walk backward": FIGURES["walk_backward"],
    "walk to the left": FIGURES["walk_left"],
    "walk diagonally to the left": FIGURES["walk_diagonal_left"],
    "turn left": FIGURES["turn_left"],
    "turn left by 90 degrees": FIGURES["turn_left"],
    "turn around": FIGURES["turn_right"],
    "walk and turn left": figure(5, forward=lambda t: 1.1 * t, yaw=ramp(0, 90, 2, 3.2), along_yaw=True),
    "walk in a circle to the left": FIGURES["walk_circle_left"],
    "stand": figure(4),
    "stop": figure(5, forward=ramp(0, 3.0, -1.0, 3.5)),
    "set off": figure(5, forward=ramp(0, 3.0, 1.5, 6.0)),
    "jump": jump(),
    "jump forward": jump(ahead=0.7),
    "squat": FIGURES["squat"],
    "crouch": figure(4, height=ramp(HEIGHT, 0.6, 1, 2)),
    "bow": FIGURES["bow"],
    "raise the left arm": FIGURES["raise_lower_left"],
    "raise both arms": FIGURES["raise_lower_both"],
    "wave with the left hand": FIGURES["wave_right"].mirror(),
    "walk with the left arm up": walk(1.2, 4, left_arm=bump(60, 0.8, 3, -75)),
}

#: Besides itself, what a figure's motion also shows.
ALSO = {
    "walk fast": {"walk forward"},
    "turn left": {"turn left by 90 degrees"},
    "turn left by 90 degrees": {"turn left"},
    "turn around": {"turn right"},
    "walk and turn left": {"turn left", "turn left by 90 degrees"},
    "walk slowly": {"walk forward"},
    "stop": {"walk forward", "walk slowly"},
    "set off": {"walk forward", "walk slowly", "walk fast"},
    "walk with the left arm up": {"walk forward"},
    "wave with the left hand": {"raise the left arm", "stand"},
    "raise the left arm": {"stand"},
    "raise both arms": {"stand"},
    "bow": {"stand"},
    "squat": {"crouch", "stand"},
    "crouch": {"stand"},
    "jump forward": {"jump"},
}
BY_KIND = {c.kind: c for c in checks()}


@pytest.mark.parametrize("kind", DOES)
def test_a_figure_passes_its_own_check_and_no_other(kind):
    passed = {name for name, check in BY_KIND.items() if check.judge(DOES[kind])}
    assert kind in passed
    assert passed - {kind} <= ALSO.get(kind, set())


@pytest.mark.parametrize("kind", DOES)
def test_the_mirrored_figure_passes_the_check_of_the_other_side(kind):
    assert BY_KIND[swap_left_right(kind)].judge(DOES[kind].mirror())


def test_there_are_prompts_enough_and_both_sides_are_asked_alike():
    every = list(checks())
    assert len(every) >= 100 and len({c.prompt for c in every}) == len(every)
    for kind in PROMPTS:
        other = swap_left_right(kind)
        assert sum(c.kind == kind for c in every) == sum(c.kind == other for c in every)


def test_no_prompt_is_a_wording_of_the_training_captions():
    rng = np.random.default_rng(0)
    kinds = [k for k in KINDS if k != "spin_left"] + [f"{g}_{w}" for g in ("walk", "run") for w in GOING]
    kinds = [k for k in kinds if not k.endswith("turn_back_left")]
    said = {
        describe([Action(kind, 0, 60, amount, speed)], rng).rstrip(".").lower()
        for kind in kinds + [k.replace("left", "right") for k in kinds]
        for amount in (45.0, 90.0, 180.0)
        for speed in ("", "slow", "fast")
        for _ in range(60)
    }
    assert not said & {c.prompt.rstrip(".").lower() for c in checks()}


def test_the_score_counts_by_kind_over_prompts_and_seeds():
    asked = []

    def generate(prompt, frames, seed):
        asked.append((prompt, frames, seed))
        return walk(1.2, frames / 30)

    tallies = score(generate, [1, 2])
    forward = len(PROMPTS["walk forward"][2])
    assert (tallies["walk forward"].passed, tallies["walk forward"].made) == (2 * forward, 2 * forward)
    assert tallies["turn left"].passed == tallies["run"].passed == 0
    assert tallies["overall"].made == len(asked) == 2 * len(list(checks()))
    assert ("idle", 120, 2) in asked
    assert "walk forward" in table(tallies) and "100.0%" in table(tallies)
