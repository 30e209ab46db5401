"""The predicates that judge what a model makes, tried on figures that surely do the thing, and on the others."""

import re

import numpy as np
import pytest
from kmm.data.actions import Action
from kmm.data.sentences import SENTENCES
from kmm.data.signals import signals
from kmm.data.wording import GOING, describe, swap_left_right
from kmm.data.wording import KINDS as WORDED
from kmm.evaluation import predicates
from kmm.evaluation.directions import KINDS, Check, Comparison, checks, noise, score, table

from ..data.figures import HEIGHT, bump, figure, jump, ramp, run, walk
from ..data.test_annotate import FIGURES


def jumps(count):
    """So many jumps on the spot, one every 1.2 s, bending the knees in between."""

    def lift(t):
        s = np.clip(((t - 0.6) % 1.2) / 0.5, 0, 1)
        return np.where((t > 0.6) & (t < 0.6 + 1.2 * count), 1.2 * s * (1 - s), 0.0)

    return figure(1.2 * count + 1.2, lift=lift, step_rate=50.0)


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
    "take two steps forward": figure(4, forward=ramp(0, 0.9, 1.0, 2.1), step_rate=1.6),
    "take three steps forward": figure(5, forward=ramp(0, 1.7, 1.0, 3.2), step_rate=1.6),
    "jump twice": jumps(2),
    "jump three times": jumps(3),
    "walk away and come back": figure(
        8, forward=lambda t: 1.0 * t, yaw=ramp(0, 180, 3.2, 4.4), along_yaw=True
    ),
    "run backward": figure(3, forward=lambda t: -1.5 * t, step_rate=2.8),
    "run in a circle to the left": run(2.2, 6, turn=60),
    "get up": figure(4, height=ramp(0.6, HEIGHT, 1, 2.5)),
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
    "wave with the left hand": {"raise the left arm"},
    "squat": {"crouch", "bend down to the floor"},
    "jump forward": {"jump"},
    "jump twice": {"jump"},
    "jump three times": {"jump"},
    "run backward": {"walk backward"},
    # whether the foot that closes up counts as a step is a matter of taste
    "take two steps forward": {"take three steps forward", "walk slowly", "set off", "stop"},
    "take three steps forward": {"walk slowly", "set off", "stop"},
    "walk away and come back": {"turn left", "turn around", "walk and turn left"},
    "run in a circle to the left": {"walk in a circle to the left"},
    "get up": {"crouch"},
}
BY_KIND = {c.kind: c for c in checks() if isinstance(c, Check)}


@pytest.mark.parametrize("kind", DOES)
def test_a_figure_passes_its_own_check_and_no_other(kind):
    plain, mirrored = signals(DOES[kind]), signals(DOES[kind].mirror())
    passed = {name for name, check in BY_KIND.items() if check.passes(mirrored if check.mirror else plain)}
    assert kind in passed
    assert passed - {kind} <= ALSO.get(kind, set())


@pytest.mark.parametrize("kind", DOES)
def test_the_mirrored_figure_passes_the_check_of_the_other_side(kind):
    assert BY_KIND[swap_left_right(kind)].judge(DOES[kind].mirror())


def test_there_are_prompts_enough_and_both_sides_are_asked_alike():
    every = list(checks())
    assert len(every) >= 120
    asked = [(c.prompt, getattr(c, "than", "")) for c in every]
    assert len(set(asked)) == len(every)
    for kind in KINDS:
        other = swap_left_right(kind)
        assert sum(c.kind == kind for c in every) == sum(c.kind == other for c in every)


def test_every_predicate_is_used_and_every_kind_has_one():
    assert all(callable(getattr(predicates, about["passes"])) for about in KINDS.values())


@pytest.mark.parametrize("quick, slow", [(run(), walk()), (walk(1.6), walk(1.0)), (walk(1.0), walk(0.5))])
def test_faster_is_faster_and_never_the_other_way_round(quick, slow):
    check = next(c for c in checks() if isinstance(c, Comparison))
    assert check.judge(quick, slow)
    assert not check.judge(slow, quick) and not check.judge(slow, slow)
    assert not check.judge(quick.transform(np.pi), figure(4))  # the second does not go at all


def test_no_prompt_is_a_wording_of_the_training_captions():
    rng = np.random.default_rng(0)
    kinds = [k for k in WORDED if k != "spin_left"] + [f"{g}_{w}" for g in ("walk", "run") for w in GOING]
    kinds = [k for k in kinds if not k.endswith("turn_back_left")]
    said = {
        describe([Action(kind, 0, 60, amount, speed)], rng)
        for kind in kinds + [k.replace("left", "right") for k in kinds]
        for amount in (45.0, 90.0, 180.0)
        for speed in ("", "slow", "fast")
        for _ in range(60)
    }
    assert not {bare(text) for text in said} & every_prompt()


def test_no_prompt_is_a_sentence_that_was_written_for_training():
    said = [text for texts in SENTENCES.values() for text in texts]
    assert (
        len(said) > 1000
        and not {bare(side) for t in said for side in (t, swap_left_right(t))} & every_prompt()
    )


def bare(text):
    """Without what makes no other wording of it: capitals, punctuation, blanks."""
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())


def every_prompt():
    return {bare(text) for c in checks() for text in (c.prompt, getattr(c, "than", c.prompt))}


def test_the_score_counts_by_kind_over_prompts_and_seeds():
    asked = []

    def generate(script, seed):
        ((prompt, frames),) = script
        asked.append((prompt, frames, seed))
        return walk(1.2, frames / 30)

    tallies = score(generate, [1, 2])
    forward = len(KINDS["walk forward"]["prompts"])
    assert (tallies["walk forward"].passed, tallies["walk forward"].asked) == ((forward, forward), forward)
    assert tallies["turn left"].passed == tallies["run"].passed == tallies["faster than"].passed == (0, 0)
    assert tallies["overall"].asked == len(list(checks()))
    assert len(asked) == 2 * (len(list(checks())) + len(KINDS["faster than"]["pairs"]))
    idle = next(c for c in checks() if c.prompt == "idle")
    assert {("idle", 120, noise(idle, seed)) for seed in (1, 2)} <= set(asked)
    # no two motions share their noise, save the two of a pair
    assert len({seed for _, _, seed in asked}) == 2 * len({c.prompt for c in checks()})
    lines = table(tallies).splitlines()
    never = tallies["overall"].never
    assert len(lines) == len(tallies) + 1 + len(never)
    assert "100.0%" in lines[0] and "+-" in lines[len(tallies) - 1]
    # a walk is never what a prompt of running asks for, and every seed here is alike
    missed = 2 * tallies["overall"].asked - sum(tallies["overall"].passed)
    assert BY_KIND["run"].prompt in never and 2 * len(never) == missed
    assert f"{missed} of {missed} that failed" in lines[len(tallies)] and lines[-1] == f"- {never[-1]}"
    assert not tallies["walk forward"].never and len(tallies["run"].never) == tallies["run"].asked
    # both seeds are alike, so the interval is a point
    assert tallies["overall"].rate.half_width == 0
