from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.data.records import commercial_only, in_split, read_shared

from .figures import walk
from .folders import row, shared


def test_a_set_is_read_as_it_was_written(tmp_path):
    texts = [{"text": "walks", "start": 0.5, "end": 1.99, "origin": "humanml3d"}]
    rows = [row("a"), row("b", index=1, texts=texts, split="test", style="proud")]
    got = read_shared(shared(tmp_path / "set", rows))
    assert got.problems == [] and [r.id for r in got] == ["a", "b"]
    first, second = got
    assert np.allclose(first.clip.translation, walk(1.2, 2.0).translation, atol=1e-6)
    turned = rot.magnitude(rot.multiply(rot.inv(walk(1.2, 2.0).rotations), first.clip.rotations))
    assert turned.max() < 1e-3
    assert first.clip.rotations.dtype == np.float32
    assert (first.texts[0].text, first.texts[0].start, first.texts[0].end) == ("a person walks as a.", 0, 60)
    # the last frame is meant where rounded seconds fall one short of it
    assert (second.texts[0].start, second.texts[0].end, second.texts[0].origin) == (15, 60, "humanml3d")
    assert (second.style, second.action, second.trial) == ("proud", "walk", "b")


def test_licences_and_splits_choose(tmp_path):
    names = ("small", "closed", "vague", "unlisted")
    rows = [row(f"{n}-{s}", set=n, split=s) for n in names for s in ("train", "val", "test")]
    got = read_shared(shared(tmp_path / "set", rows))
    assert {(r.set, r.commercial) for r in got} == {
        ("small", True), ("closed", False), ("vague", None), ("unlisted", None),
    }  # fmt: skip
    assert {r.set for r in commercial_only(got)} == {"small"}
    train = in_split(commercial_only(got), "train")
    assert [r.id for r in train] == ["small-train"]
    assert not {r.trial for r in in_split(got, "train")} & {r.trial for r in in_split(got, "test")}


def test_only_the_wanted_sets_are_read(tmp_path):
    folder = shared(tmp_path / "set", [row("a"), row("b", set="closed")])
    assert {r.set for r in read_shared(folder, ["closed"])} == {"closed"}
    with pytest.raises(ValueError, match=r"no set 'other'.*closed, small"):
        read_shared(folder, ["other"])


@pytest.mark.parametrize(
    "broken, reason",
    [
        (row("bad", index=7), "bad"),
        (row("bad", split="trian"), "split must be one of"),
        (row("bad", texts=[{"start": 0}]), "bad"),
        ({"set": "small"}, "index"),
        (row("bad", fps=0), "fps"),
        (row("bad", texts=[{"text": None}]), "text must be words, not None"),
        (row("bad", texts=[{"text": 7}]), "text must be words, not 7"),
        (row("bad", texts=["walks"]), "a text must be {"),
        (row("bad", texts=[{"text": "walks", "end": float("inf")}]), "bad"),
        (row("bad", trial=None), "trial must be words, not None"),
        (row("bad", id=["bad"]), "id must be words"),
        (row("bad", action=3), "action must be words, not 3"),
        (row("bad", index="0"), "bad"),
    ],
)
def test_what_cannot_be_read_is_listed_and_the_rest_is_kept(tmp_path, broken, reason):
    got = read_shared(shared(tmp_path / "set", [row("good"), broken]))
    assert [r.id for r in got] == ["good"]
    assert len(got.problems) == 1 and reason in got.problems[0]


def test_a_damaged_line_and_a_damaged_file_are_listed(tmp_path):
    folder = shared(tmp_path / "set", [row("good"), row("lost", set="closed")])
    with (folder / "clips.jsonl").open("a") as lines:
        lines.write("{not json\n")
    (folder / "motion" / "closed.npz").write_bytes(b"PK damaged")
    got = read_shared(folder)
    assert [r.id for r in got] == ["good"]
    assert any("line 3" in p for p in got.problems) and any("closed.npz" in p for p in got.problems)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.9, 0.999])
def test_a_file_that_was_not_copied_whole_is_listed(tmp_path, compressed, kept):
    folder = shared(tmp_path / "set", [row("good"), row("lost", set="closed")])
    path = folder / "motion" / "closed.npz"
    if compressed:
        with np.load(path) as arrays:
            np.savez_compressed(path, **dict(arrays))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    got = read_shared(folder)
    assert [r.id for r in got] == ["good"]
    (problem,) = got.problems
    assert problem.startswith("closed.npz: ") and len(problem) > len("closed.npz: ")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), compressed=st.booleans())
def test_whatever_byte_of_a_file_is_damaged_the_other_sets_are_read(tmp_path, at, byte, compressed):
    folder = tmp_path / uuid4().hex
    shared(folder, [row("good"), row("lost", set="closed")])
    path = folder / "motion" / "closed.npz"
    if compressed:
        with np.load(path) as arrays:
            np.savez_compressed(path, **dict(arrays))
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] = byte
    path.write_bytes(content)
    got = read_shared(folder)
    # what is damaged may go unnoticed in zip's own tables, but nothing is lost without a word
    assert got[0].id == "good" and len(got) + len(got.problems) == 2


def test_not_a_number_is_listed(tmp_path):
    clip = walk(1.2, 2.0)
    clip.translation[3] = np.nan
    got = read_shared(shared(tmp_path / "set", [row("a")], {"small": [clip]}))
    assert len(got) == 0 and "finite" in got.problems[0]


def test_a_folder_without_clips_says_what_to_give(tmp_path):
    with pytest.raises(ValueError, match=r"clips\.jsonl"):
        read_shared(tmp_path)
