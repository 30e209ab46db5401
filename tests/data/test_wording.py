import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.data.actions import Action
from kmm.data.grammar import gerund, third
from kmm.data.wording import ACTIVITIES, GOING, KINDS, STYLES, describe, phrase, side_of, swap_left_right

ALL_KINDS = sorted(
    {k for k in KINDS if k != "spin_left"}
    | {f"{gait}_{way}" for gait in ("walk", "run") for way in GOING if way != "turn_back_left"}
)
SEEDS = st.integers(0, 2**32 - 1)


def action(kind, amount=90.0, speed="", count=0):
    return Action(kind, 0, 60, amount, speed, count)


@given(
    kinds=st.lists(st.sampled_from(ALL_KINDS), min_size=1, max_size=3),
    amount=st.floats(-400, 400),
    speed=st.sampled_from(["", "slow", "fast"]),
    style=st.sampled_from([None, "zombie", *STYLES]),
    activity=st.sampled_from([None, "laugh", *ACTIVITIES]),
    seed=SEEDS,
)
def test_every_sentence_is_finished_english(kinds, amount, speed, style, activity, seed):
    rng = np.random.default_rng(seed)
    text = describe([action(k, amount, speed) for k in kinds], rng, style=style, activity=activity)
    assert not re.search(r"[\[\]{}<>|_]", text)
    assert text == " ".join(text.split()) and " ," not in text and text


@pytest.mark.parametrize("kind", [k for k in ALL_KINDS if side_of(k)])
@given(seed=SEEDS)
def test_the_right_side_is_the_left_side_with_the_words_exchanged(kind, seed):
    left = phrase(action(kind), np.random.default_rng(seed))
    right = phrase(action(kind.replace("left", "right"), -90.0), np.random.default_rng(seed))
    assert right == swap_left_right(left)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_kind_has_many_wordings(kind):
    rng = np.random.default_rng(0)
    assert len({describe([action(kind)], rng) for _ in range(200)}) > 60


def test_the_same_generator_gives_the_same_words():
    a, b = (describe([action("walk_turn_left")], np.random.default_rng(5)) for _ in range(2))
    assert a == b


@pytest.mark.parametrize(
    "text, mirrored",
    [
        ("turns left", "turns right"),
        ("Left hand, RIGHT foot", "Right hand, LEFT foot"),
        ("steps leftward, then rightwards", "steps rightward, then leftwards"),
        ("a left-handed punch", "a right-handed punch"),
        ("walks clockwise", "walks counterclockwise"),
        ("spins counter-clockwise", "spins clockwise"),
        ("turns anticlockwise.", "turns clockwise."),
        ("counter clockwise circle", "clockwise circle"),
        ("leaves the bright room upright", "leaves the bright room upright"),
        ("it is all right", "it is all right"),
        ("turns right away", "turns right away"),
        ("the man's left side", "the man's right side"),
    ],
)
def test_left_and_right_are_exchanged_and_other_words_are_not(text, mirrored):
    assert swap_left_right(text) == mirrored


@given(st.text(alphabet="leftright clockwise,.LR-'", max_size=40))
def test_exchanging_twice_says_the_same(text):
    once = swap_left_right(swap_left_right(text))
    # "anticlockwise" comes back as "counterclockwise", its other name
    assert swap_left_right(swap_left_right(once)) == once


@pytest.mark.parametrize(
    "verb, s, ing",
    [
        ("walk", "walks", "walking"),
        ("run", "runs", "running"),
        ("crouch", "crouches", "crouching"),
        ("go", "goes", "going"),
        ("raise", "raises", "raising"),
        ("lie", "lies", "lying"),
        ("hurry", "hurries", "hurrying"),
        ("stay", "stays", "staying"),
        ("sidestep", "sidesteps", "sidestepping"),
        ("bow", "bows", "bowing"),
        ("have", "has", "having"),
        ("dash", "dashes", "dashing"),
    ],
)
def test_verbs_are_conjugated(verb, s, ing):
    assert (third(verb), gerund(verb)) == (s, ing)
