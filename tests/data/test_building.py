import json
from dataclasses import replace

import numpy as np
import pytest
from kmm import rotations as rot
from kmm.data import folders
from kmm.data.building import build

from .figures import walk
from .folders import row, shared


@pytest.fixture
def source(tmp_path):
    texts = [{"text": "walks", "start": 0.5, "end": 1.5, "origin": "humanml3d"}]
    rows = [
        row("a", style="proud"),
        row("b", index=1, texts=texts, split="test"),
        row("c", set="cmu"),
        row("d", set="vague"),
    ]
    clips = {"small": [walk(1.2, 2.0), walk(0.8, 2.0)], "cmu": [walk(1.2, 2.0)], "vague": [walk(1.0, 3.0)]}
    return shared(tmp_path / "source", rows, clips)


def test_a_store_reads_as_what_it_was_built_from(source, tmp_path):
    before = folders.read(source)
    build(before, tmp_path / "store")
    after = folders.read(tmp_path / "store")
    assert after.problems == []
    for a, b in zip(before, after, strict=True):
        assert (a.set, a.id, a.trial, a.split, a.texts, a.commercial, a.action, a.style) == (
            b.set, b.id, b.trial, b.split, b.texts, b.commercial, b.action, b.style,
        )  # fmt: skip
        np.testing.assert_allclose(a.clip.translation, b.clip.translation, atol=1e-6)
        turned = rot.magnitude(rot.multiply(rot.inv(a.clip.rotations), b.clip.rotations))
        assert np.degrees(turned).max() < 0.02


def licences(folder):
    return json.loads((folder / "licenses.json").read_text())


def test_licence_and_attribution_of_each_set_are_kept_however_often_it_is_built(source, tmp_path):
    build(folders.read(source), tmp_path / "once")
    build(folders.read(tmp_path / "once"), tmp_path / "twice")
    for built in (tmp_path / "once", tmp_path / "twice"):
        assert licences(built)["small"] == licences(source)["small"]
        assert licences(built)["vague"] == {"commercial": "unclear"}


def test_a_set_that_comes_from_two_places_has_the_licences_and_attributions_of_both(source, tmp_path):
    a, b = [r for r in folders.read(source) if r.set == "small"]
    theirs = {"commercial": False, "license": "CC BY-NC 4.0", "attribution": "Somebody"}
    build([a, replace(b, commercial=False, licence=theirs)], tmp_path / "store")
    assert licences(tmp_path / "store")["small"] == {
        "commercial": False,
        "license": "CC BY 4.0; CC BY-NC 4.0",
        "attribution": "Somebody",
        "source": "here",
    }


def test_a_gait_cycle_is_not_given_its_natural_speed_twice(source, tmp_path):
    before = next(r for r in folders.read(source) if r.set == "cmu")
    assert len(before.clip) != 60  # the reader has retimed it
    build([before], tmp_path / "once")
    build(folders.read(tmp_path / "once"), tmp_path / "twice")
    rows = [json.loads(x) for x in (tmp_path / "twice" / "clips.jsonl").read_text().splitlines()]
    assert [r["frames"] for r in rows] == [len(before.clip)]


def test_nothing_is_overwritten(source, tmp_path):
    with pytest.raises(FileExistsError, match="not empty"):
        build(folders.read(source), source)
