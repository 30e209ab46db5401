"""No trial is in two splits, whatever the layouts that it comes from call it."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.data import folders
from kmm.data.records import SPLITS, Recording, Recordings, read_shared
from kmm.data.trials import apart

from .figures import walk
from .folders import row, shared
from .test_amass import amass, babel, entry, labels

__all__ = ["amass", "babel"]  # fixtures

CLIP = walk(1.2, 0.1)


def test_a_trial_of_the_test_or_validation_split_is_in_no_other(tmp_path):
    rows = [row(f"{t}-{s}", split=s, trial=t) for t in ("a", "b", "c") for s in ("train", "val")]
    rows = [r for r in rows if r["id"] != "c-val"] + [row("a-test", split="test", trial="a")]
    got = apart(read_shared(shared(tmp_path / "set", rows)))
    assert [r.id for r in got] == ["b-val", "c-train", "a-test"]
    assert len(got.problems) == 3
    assert sum("its trial a is also in the test split (small a-test)" in p for p in got.problems) == 2
    assert sum("its trial b is also in the val split (small b-val)" in p for p in got.problems) == 1


@pytest.mark.parametrize("held_out", ["test", "val"])
@pytest.mark.parametrize("trained", ["small", "babel"])
def test_a_trial_is_known_in_a_folder_of_two_layouts(amass, babel, held_out, trained):
    """CMU 01_01 is "01_01" in one layout and "cmu/01/01_01" in the other."""
    split = {"small": ("train", held_out), "babel": (held_out, "train")}[trained]
    rows = [row("a", set="cmu", split=split[0], trial="01_01"), row("b", set="cmu", trial="01_02", index=1)]
    shared(amass.parent / "both", rows)
    for name in ("motion", "clips.jsonl", "licenses.json"):
        (amass.parent / "both" / name).rename(amass.parent / name)
    for path in babel.glob("*.json"):
        path.unlink()
    theirs = {"1": entry(1, "CMU/CMU/01/01_01_poses.npz", labels(("walk",)))}
    (babel / f"{split[1]}.json").write_text(json.dumps(theirs))
    got = folders.read(amass.parent)
    assert {(r.set, r.split) for r in got} == {
        ("cmu", "train"), ("babel" if trained == "small" else "cmu", held_out),
    }  # fmt: skip
    assert [r.id for r in got if r.split == "train"] == ["b"]
    (problem,) = got.problems
    assert f"left out of train, its trial {'01_01' if trained == 'small' else 'cmu/01/01_01'} is" in problem
    assert f"in the {held_out} split" in problem


# Of every trial what the layouts call it. HDM05's cuts are named by what is done, its takes by the script, and which
# cut is of which take is not known: one actor's may be each other's.
CMU = [
    (f"cmu {n}", layout, trial)
    for n in range(1, 4)
    for layouts, trial in ((("cmu", "cmu_fbx"), f"0{n}_01"), (("babel", "humanml3d"), f"cmu/0{n}/0{n}_01"))
    for layout in layouts
]
CUTS = [(f"cut {a} {c}", "hdm05", f"{a}_{c}") for a in ("bd", "tr") for c in ("kick", "squat")]
TAKES = [
    (f"take {a} {n}", layout, f"mpi_hdm05/{a}/hdm_{a}_0{n}-01_01_120")
    for a in ("bd", "tr")
    for n in (1, 2)
    for layout in ("babel", "humanml3d")
]
OTHERS = [(f"other {n}", "small", n) for n in "ab"]


def same(a, b):
    """Whether two of the above may show one motion."""
    kinds = {a.partition(" ")[0], b.partition(" ")[0]}
    return a == b or (kinds == {"cut", "take"} and a.split()[1] == b.split()[1])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([*CMU, *CUTS, *TAKES, *OTHERS]), st.sampled_from(SPLITS)), max_size=12)
)
def test_whatever_the_splits_no_trial_is_in_two_and_nothing_is_lost_silently_or_needlessly(drawn):
    items = [
        Recording(layout, str(i), trial, split, CLIP) for i, ((_, layout, trial), split) in enumerate(drawn)
    ]
    truth = {str(i): name for i, ((name, _, _), _) in enumerate(drawn)}
    got = apart(Recordings(items, ["before"]))
    for a, b in itertools.combinations(got, 2):
        assert a.split == b.split or not same(truth[a.id], truth[b.id])
    kept = {r.id for r in got}
    assert [r for r in items if r.id in kept] == got.items
    for lost in (r for r in items if r.id not in kept):
        assert any(
            same(truth[lost.id], truth[r.id]) and SPLITS.index(r.split) > SPLITS.index(lost.split)
            for r in got
        )
        assert sum(p.startswith(f"{lost.set} {lost.id}: left out of {lost.split}") for p in got.problems) == 1
    assert len(got.items) + len(got.problems) == len(items) + 1
