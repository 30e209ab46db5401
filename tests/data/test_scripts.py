import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kmm.data.scripts import ABOUT, COUNTED, GOING, Scripts

ALL = [
    "stand",
    "walk_forward",
    "few_steps",
    "run_forward",
    "jump",
    "turn_left",
    "sit_down",
    "punch_right",
    ABOUT,
]
KINDS = st.lists(st.sampled_from(ALL), min_size=1, unique=True).filter(lambda k: k != ["stand"])


@given(KINDS, st.integers(0, 2**32 - 1))
def test_a_script_has_pieces_for_all_it_asks_for(kinds, seed):
    scripts, rng = Scripts(kinds), np.random.default_rng(seed)
    for _ in range(20):
        script = scripts.draw(rng)
        if script.kinds == ("stand",):
            assert "stand" in kinds and script.arms
            continue
        assert set(script.kinds) <= set(kinds) - {"stand"} and script.kinds
        back = script.way == "back" and script.kinds[:3] == ("walk_forward", ABOUT, "walk_forward")
        assert len(script.kinds) <= 3 or script.kinds == (
            "walk_forward",
            ABOUT,
            "walk_forward",
            "walk_forward",
        )
        once = len(script.kinds) == 1 or back
        assert once or COUNTED.match(script.kinds[0]) or GOING.match(script.kinds[0])
        assert not script.way or (len(script.kinds) > 1 and script.kinds[0].endswith("forward"))
        assert not (script.held and re.match("walk|run|few_steps", script.kinds[0]))
        around = scripts.among_standing(script.kinds, rng)
        assert tuple(k for k in around if k != "stand") == script.kinds
        assert "stand" in kinds or around == script.kinds


def test_nobody_stands_before_getting_up_from_sitting():
    scripts = Scripts(["stand", "up_from_sit"])
    starts = {scripts.among_standing(("up_from_sit",), np.random.default_rng(i))[0] for i in range(50)}
    assert starts == {"up_from_sit"}
