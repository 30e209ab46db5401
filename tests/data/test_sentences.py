import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.data.actions import Action
from kmm.data.sentences import SENTENCES, draw, key
from kmm.data.wording import describe, swap_left_right

SIDED = re.compile(r"left|(counter|anti)[ -]?clockwise", re.IGNORECASE)
KINDS = sorted(k for k in SENTENCES if not re.search(r"[ +&]|there|around", k))


@pytest.mark.parametrize("name", SENTENCES)
def test_there_are_many_and_the_left_is_said_where_it_is_meant(name):
    texts = SENTENCES[name]
    assert len({t.lower() for t in texts}) == len(texts) >= 80
    if "left" in name:
        for text in texts:
            assert SIDED.search(text) and swap_left_right(text) != text, text
            assert not re.search(r"\b(right|port|starboard)\b", text.lower()), text
    else:
        assert not any(SIDED.search(t) for t in texts)


@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_the_right_side_gets_the_sentences_of_the_left(kind, seed):
    other = kind.replace("left", "right")
    left, right = (Action(k, 0, 60, 60.0) for k in (kind, other))
    a, b = (draw([x], None, np.random.default_rng(seed)) for x in (left, right))
    assert a == b in SENTENCES[kind]
    texts = {describe([right], np.random.default_rng(seed + i)) for i in range(20)}
    assert texts & {swap_left_right(t) if "left" in kind else t for t in SENTENCES[kind]}


@pytest.mark.parametrize(
    "actions, name",
    [
        ([Action("walk_forward", 0, 60, speed="fast")], "walk_forward fast"),
        ([Action("walk_forward", 0, 60, count=3)], "walk_forward 3"),
        ([Action("jump", 0, 60, count=1)], "jump"),
        ([Action("punch_right", 0, 60, count=2)], "punch_left 2"),
        ([Action("walk_turn_right", 0, 60, -90.0)], "walk_turn_left"),
        ([Action("walk_forward", 0, 60), Action("stand", 60, 90)], "walk_forward+stand"),
        ([Action("walk_forward", 0, 60), Action("walk_turn_right", 60, 90, -80.0)], "walk_turn_left"),
    ],
)
def test_speed_count_and_what_follows_choose_the_sentences(actions, name):
    assert key(actions, None, np.random.default_rng(0)) == name and name in SENTENCES


@given(st.floats(-500, 500), st.integers(0, 1000))
def test_a_turn_is_never_called_by_an_angle_that_it_is_not(degrees, seed):
    side = "left" if degrees >= 0 else "right"
    name = key([Action(f"turn_{side}", 0, 60, degrees)], None, np.random.default_rng(seed))
    angle = {"turn_left 90": 90, "turn_around": 180, "turn_left 360": 360}.get(name)
    assert angle is None or abs(abs(degrees) - angle) < 31
    assert name != "turn_left" or abs(degrees) < 200


@given(st.floats(0, 400))
def test_only_who_turns_about_comes_back(degrees):
    walk = Action("walk_forward", 0, 60)
    name = key([walk, Action("turn_left", 60, 90, degrees), walk], None, np.random.default_rng(0))
    assert (name == "there_and_back") == (135 < degrees < 225)


def test_styles_are_told_by_phrases_alone():
    texts = {
        describe([Action("walk_forward", 0, 60)], np.random.default_rng(i), style="zombie") for i in range(50)
    }
    assert not texts & set(SENTENCES["walk_forward"])


def test_an_arm_that_is_up_for_the_whole_walk_is_up():
    walk, arm = Action("walk_forward", 0, 90), Action("raise_lower_right", 5, 85, channel="arms")
    assert key([walk], arm, np.random.default_rng(0)) == "walk_forward&raise_left"
    texts = {describe([walk], np.random.default_rng(i), meanwhile=arm) for i in range(40)}
    assert texts & {swap_left_right(t) for t in SENTENCES["walk_forward&raise_left"]}
