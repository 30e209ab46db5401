"""Any layout from one call, and `kmm data check`, which says what was read and what not."""

import json
import shutil

import pytest
from kmm import formats
from kmm.cli import app
from kmm.data import folders
from typer.testing import CliRunner

from .figures import walk
from .folders import row, shared
from .test_amass import amass, babel, humanml3d

__all__ = ["amass", "babel", "humanml3d"]  # fixtures


def test_each_layout_is_known(tmp_path):
    training = shared(tmp_path / "set", [row("a")])
    assert {r.set for r in folders.read(training)} == {"small"}
    (tmp_path / "own").mkdir()
    formats.save(walk(1.2, 2.0), tmp_path / "own" / "a.bvh")
    assert {r.set for r in folders.read(tmp_path / "own")} == {"clips"}


def test_amass_is_read_with_all_its_annotations_and_no_test_trial_is_trained_on(amass, babel, humanml3d):
    got = folders.read(amass.parent)
    # CMU 01_01 is a test clip of HumanML3D, so BABEL's and HumanML3D's training recordings of it are left out
    assert {(r.set, r.id) for r in got} == {
        ("babel", "5"), ("babel", "6"), ("humanml3d", "000001"), ("humanml3d", "000003"), ("humanml3d", "000004"),
    }  # fmt: skip
    assert sum("cmu/01/01_01 is also in the test split" in p for p in got.problems) == 2


@pytest.mark.parametrize("missing", ["babel", "humanml3d"])
def test_either_annotation_is_enough(amass, babel, humanml3d, missing):
    shutil.rmtree(amass.parent / missing)
    assert {r.set for r in folders.read(amass.parent)} == {"babel", "humanml3d"} - {missing}


def test_a_folder_of_nothing_says_what_it_must_hold(tmp_path):
    with pytest.raises(ValueError, match=r"no training data.*captions\.jsonl"):
        folders.read(tmp_path)
    with pytest.raises(ValueError, match="no folder"):
        folders.read(tmp_path / "nowhere")


def check(*words):
    return CliRunner().invoke(app, ["data", "check", *map(str, words)])


def test_check_lists_what_is_read_and_each_bad_file(tmp_path):
    formats.save(walk(1.2, 60.0), tmp_path / "good.npz")
    assert check(tmp_path).exit_code == 0
    (tmp_path / "bad.bvh").write_text("nonsense")
    result = check(tmp_path)
    assert result.exit_code == 1
    heads, values, problem = result.stdout.strip().splitlines()
    assert heads.split()[:3] == ["set", "clips", "minutes"] and values.split()[:3] == ["clips", "1", "1.0"]
    assert problem.startswith("bad.bvh: ")
    told = json.loads(check(tmp_path, "--json").stdout)
    assert told["sets"][0]["train"] == 1 and told["problems"] == [problem]


def test_check_of_a_folder_with_nothing_usable(tmp_path):
    (tmp_path / "bad.bvh").write_text("nonsense")
    result = check(tmp_path)
    assert result.exit_code == 1 and "bad.bvh" in result.stdout
    result = check(tmp_path / "nowhere")
    assert result.exit_code == 1 and len(result.stderr.strip().splitlines()) == 1


def test_damaged_data_is_listed_and_never_a_traceback(tmp_path):
    source = shared(tmp_path / "source", [row("a"), row("b", set="closed"), row("c", texts=[{"text": None}])])
    path = source / "motion" / "closed.npz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = check(source)
    assert result.exit_code == 1 and "closed.npz: " in result.stdout and "text must be words" in result.stdout
    assert isinstance(result.exception, SystemExit)


def test_a_store_is_built_once(tmp_path):
    source = shared(tmp_path / "source", [row("a")])
    command = ["data", "build", str(source), "--out", str(tmp_path / "store")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0 and "small" in result.stdout
    assert check(tmp_path / "store").exit_code == 0
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1 and "not empty" in again.stderr
