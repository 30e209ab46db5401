import numpy as np
from kmm.data.sampling import Balanced


def example(kind, length):
    return {"recording": 0, "start": 0, "end": length, "texts": [], "origin": "", "kind": kind, "actions": ()}


def shares(examples, count=40_000):
    drawn = Balanced(examples).draw(np.random.default_rng(0), count)
    return np.bincount(drawn, minlength=len(examples)) / count


def test_a_kind_with_a_hundred_times_the_motion_comes_ten_times_as_often():
    got = shares([example("walk", 100)] * 100 + [example("jump", 100)])
    assert abs(got[:100].sum() / got[100] - 10) < 0.8


def test_within_a_kind_long_examples_come_by_their_length_up_to_six_seconds():
    short, long, longer = shares([example("walk", 60), example("walk", 180), example("walk", 1800)])
    assert abs(long / short - 3) < 0.2 and abs(longer / long - 1) < 0.1


def test_what_is_told_by_number_or_size_comes_more_often():
    plain, counted = shares([example("jump", 100), example("jump 3", 100)])
    assert abs(counted / plain - 1.7) < 0.1


def test_a_vague_label_of_a_set_counts_a_third():
    own, motion = shares([example("own walk", 100), example("walk", 100)])
    assert abs(motion * 0.33 / own - 1) < 0.05


def test_the_same_draw_for_the_same_seed():
    examples = [example(k, n) for k, n in (("a", 10), ("b", 20), ("c", 30))]
    a, b = (Balanced(examples).draw(np.random.default_rng(3), 50) for _ in range(2))
    assert a == b
