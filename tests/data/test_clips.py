"""A folder of people's own files: npz and BVH, with captions or without."""

import json
from dataclasses import replace

import numpy as np
import pytest
from kmm import formats
from kmm.clip import Segment
from kmm.contacts import foot_contacts
from kmm.data.clips import read_clips
from kmm.formats import bvh

from .figures import walk


def write_captions(folder, *rows):
    (folder / "captions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def test_npz_and_bvh_are_read_at_30_fps_with_their_captions(tmp_path):
    clip = walk(1.2, 3.0)
    (tmp_path / "subject").mkdir()
    formats.save(clip.resample(120.0), tmp_path / "subject" / "walk_poses.npz")
    bvh.save(clip.resample(60.0), tmp_path / "subject" / "walk.bvh", units="cm")
    np.savez(tmp_path / "subject" / "shape.npz", gender="neutral", betas=np.zeros(16))
    text = {"text": "steps", "start": 1, "end": 2}
    write_captions(
        tmp_path,
        {"file": "subject/walk_poses.npz", "split": "val", "trial": "one", "texts": [text]},
        {"file": "subject/walk.bvh", "texts": [{"text": "walks"}], "set": "mine", "commercial": True},
    )
    got = read_clips(tmp_path)
    assert got.problems == []
    b, n = got
    assert (n.id, n.split, n.trial, n.commercial) == ("subject/walk_poses.npz", "val", "one", None)
    assert (b.id, b.split, b.trial, b.set, b.commercial) == (
        "subject/walk.bvh", "train", "subject/walk.bvh", "mine", True,
    )  # fmt: skip
    assert [(c.text, c.start, c.end) for c in n.texts] == [("steps", 30, 60)]
    assert [(c.text, c.start, c.end) for c in b.texts] == [("walks", 0, len(b.clip))]
    for r in got:
        assert r.clip.fps == 30.0 and abs(len(r.clip) - len(clip)) <= 1
        frames = min(len(r.clip), len(clip))
        moved = r.clip.joints()[:frames] - clip.joints()[:frames]
        assert np.abs(moved - moved[0, 0]).max() < 2e-3  # the same but for the floor's height


def test_feet_are_on_the_floor_whatever_the_file_says(tmp_path):
    formats.save(walk(0.8, 3.0).transform(0.0, (0, 0, 0.5)), tmp_path / "floating.npz")
    (got,) = read_clips(tmp_path)
    assert foot_contacts(got.clip.joints(), 30.0).max(1).mean() > 0.9


def test_segments_that_kmm_wrote_are_the_texts_of_a_file_without_captions(tmp_path):
    clip = replace(walk(1.2, 2.0), segments=(Segment("walks", 0, 40), Segment("goes on", 40, 60)))
    formats.save(clip, tmp_path / "made.npz")
    (got,) = read_clips(tmp_path)
    assert [(c.text, c.start, c.end) for c in got.texts] == [("walks", 0, 40), ("goes on", 40, 60)]


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("a.npz", b"PK damaged", "not an AMASS motion file"),
        ("a.bvh", b"HIERARCHY\nROOT Hips\n{", "damaged BVH file"),
        ("a.bvh", b"", "ends too early"),
    ],
)
def test_a_bad_file_is_listed_with_its_reason_and_the_others_are_read(tmp_path, name, content, reason):
    formats.save(walk(1.2, 2.0), tmp_path / "good.npz")
    (tmp_path / name).write_bytes(content)
    got = read_clips(tmp_path)
    assert [r.id for r in got] == ["good.npz"]
    (problem,) = got.problems
    assert problem.startswith(f"{name}: ") and reason in problem and problem.count(name) == 1


def test_bad_captions_are_listed(tmp_path):
    formats.save(walk(1.2, 2.0), tmp_path / "a.npz")
    formats.save(walk(1.2, 2.0), tmp_path / "b.npz")
    write_captions(tmp_path, {"file": "a.npz", "split": "trian"}, {"file": "b.npz", "texts": [{"start": 1}]},
                   {"file": "gone.npz", "texts": []}, {"texts": []})  # fmt: skip
    with (tmp_path / "captions.jsonl").open("a") as lines:
        lines.write("{not json\n")
    got = read_clips(tmp_path)
    assert len(got) == 0
    for part in (
        "line 4",
        "line 5",
        "a.npz: split must be one of",
        "b.npz: it has no 'text'",
        "gone.npz: has captions",
    ):
        assert sum(part in p for p in got.problems) == 1, (part, got.problems)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"texts": [{"text": 5}]}, "text must be words, not 5"),
        ({"texts": [{"text": None}]}, "text must be words, not None"),
        ({"texts": "walks"}, "a text must be {"),
        ({"set": 3}, "set must be words, not 3"),
        ({"trial": 3}, "trial must be words, not 3"),
        ({"commercial": "yes"}, "commercial must be true or false, not 'yes'"),
    ],
)
def test_captions_of_the_wrong_kind_are_listed(tmp_path, changes, reason):
    formats.save(walk(1.2, 2.0), tmp_path / "a.npz")
    write_captions(tmp_path, {"file": "a.npz"} | changes)
    got = read_clips(tmp_path)
    (problem,) = got.problems
    assert len(got) == 0 and problem.startswith("a.npz: ") and reason in problem


def test_what_is_no_folder_says_so(tmp_path):
    with pytest.raises(ValueError, match="not a folder"):
        read_clips(tmp_path / "nowhere")
