import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.model.clauses import SHORTEST, clauses


@pytest.mark.parametrize(
    "prompt, parts",
    [
        ("a person walks forward", None),
        ("a person walks and then stops", ["a person walks", "stops"]),
        ("walks, then turns left, then sits down", ["walks", "turns left", "sits down"]),
        ("first go straight, afterwards turn left.", ["go straight", "turn left"]),
        ("someone walks followed by a jump", ["someone walks", "a jump"]),
        ("he walks before stopping", ["he walks", "stopping"]),
        ("set one foot before the other", None),
        ("a person walks and waves", None),
        ("walks while waving, and after that bows", ["walks while waving", "bows"]),
        ("stand; then set off walking", ["stand", "set off walking"]),
        ("then stands", None),
        ("strengthen the left arm", None),
    ],
)
def test_a_prompt_is_what_it_says_one_after_the_other(prompt, parts):
    found = clauses(prompt, 300)
    assert [text for text, _ in found] == (parts or [prompt])


@given(
    st.text(max_size=80) | st.from_regex(r"[a-z]{1,9}( then [a-z]{1,9}){0,9}", fullmatch=True),
    st.integers(4, 900),
)
def test_no_frame_is_lost_and_no_clause_is_short(prompt, frames):
    found = clauses(prompt, frames)
    assert sum(n for _, n in found) == frames
    if len(found) > 1:
        assert min(n for _, n in found) >= SHORTEST - 1 and all(text for text, _ in found)


def test_little_time_leaves_a_prompt_whole():
    assert clauses("walks then stops", 2 * SHORTEST - 1) == [("walks then stops", 2 * SHORTEST - 1)]
