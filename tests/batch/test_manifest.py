"""The output folder: whatever a kill leaves there, what is listed is whole, and no file is listed twice."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.batch.jobs import Failed, Take, parse
from kmm.batch.maker import About, Made
from kmm.batch.manifest import FAILED, NAME, Manifest

ABOUT = About("kmm-test", "0" * 64, "cpu", 1)
TAKES = [
    take
    for n in range(4)
    for take in parse(b'{"prompts": ["a person walks@1"], "format": ["npz", "bvh"]}', n)
]


def made(take: Take) -> Made:
    return Made(30, 30.0, 0.1, tuple(f"{file} of {take.seed}".encode() for file in take.files))


def listed(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / NAME).read_text().splitlines()]


def check(folder: Path, takes: list[Take]) -> None:
    """Every file of the takes is listed once, whole, and nothing else is there."""
    lines = listed(folder)
    assert sorted(str(line["file"]) for line in lines) == sorted(f for take in takes for f in take.files)
    for line in lines:
        content = (folder / str(line["file"])).read_bytes()
        assert hashlib.sha256(content).hexdigest() == line["sha256"]
    others = {NAME, ".lock"}
    assert {path.name for path in folder.iterdir()} - others == {line["file"] for line in lines}


def test_lines_and_files(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        assert not manifest.has(TAKES[0])
        for take in TAKES:
            manifest.add(take, made(take), ABOUT)
        assert all(manifest.has(take) for take in TAKES)
    check(tmp_path, TAKES)
    line = listed(tmp_path)[0]
    assert (line["job"], line["frames"], line["seed"]) == (TAKES[0].name, 30, TAKES[0].seed)
    assert line["weights_sha256"] == ABOUT.sha256


@given(st.data())
def test_a_kill_at_any_byte_is_mended(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Manifest(folder) as manifest:
            for take in TAKES[:3]:
                manifest.add(take, made(take), ABOUT)
        whole = (folder / NAME).read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        (folder / NAME).write_bytes(whole[:cut])
        (folder / ".000000.npz.0123abcd.tmp").write_bytes(b"half")
        for file in data.draw(st.lists(st.sampled_from([f for take in TAKES[:3] for f in take.files]))):
            (folder / file).unlink(missing_ok=True)
        with Manifest(folder) as manifest:
            left = {line["file"] for line in listed(folder)}
            assert left <= set(os.listdir(folder))
            assert left <= {json.loads(line)["file"] for line in whole[:cut].split(b"\n")[:-1]}
            for take in TAKES:
                if not manifest.has(take):
                    manifest.add(take, made(take), ABOUT)
        check(folder, TAKES)


def test_a_name_that_stands_for_another_motion_is_refused(tmp_path: Path) -> None:
    [other] = parse(b'{"prompts": ["a person runs@1"], "id": "000000"}', 1)
    with Manifest(tmp_path) as manifest:
        manifest.add(TAKES[0], made(TAKES[0]), ABOUT)
        with pytest.raises(ValueError, match="made from another job"):
            manifest.has(other)
    with Manifest(tmp_path) as manifest, pytest.raises(ValueError, match="made from another job"):
        manifest.has(other)


def test_two_batches_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with Manifest(tmp_path), pytest.raises(ValueError, match="Another batch"):
        Manifest(tmp_path)
    with Manifest(tmp_path):
        pass


def test_failures_are_those_of_the_last_run(tmp_path: Path) -> None:
    with Manifest(tmp_path) as manifest:
        manifest.fail(Failed("line 3", "Not a job."))
    assert json.loads((tmp_path / FAILED).read_text()) == {"job": "line 3", "error": "Not a job."}
    with Manifest(tmp_path):
        pass
    assert not (tmp_path / FAILED).exists()
