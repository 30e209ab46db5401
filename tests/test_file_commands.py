"""kmm convert and kmm preview, in a process of their own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from kmm import formats
from kmm.film import HEIGHT, WIDTH, pictures
from kmm.formats import bvh
from typer.testing import CliRunner

from .formats import models
from .light.motions import walk

Image = pytest.importorskip("PIL.Image")
app = pytest.importorskip("kmm.cli").app


def kmm(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kmm.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=250, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_convert_there_and_back(tmp_path):
    clip = walk(31, turn=0.5)
    formats.save(clip, tmp_path / "clip.npz")
    done = kmm(
        "convert", tmp_path / "clip.npz", tmp_path / "clip.bvh", "--units", "cm", "--up", "z", "--fps", 60
    )
    assert done.returncode == 0 and done.stderr == "" and "61 frames at 60 fps" in done.stdout
    done = kmm("convert", tmp_path / "clip.bvh", tmp_path / "back.json", "--fps", 30, "--json")
    told = json.loads(done.stdout)
    assert told == {"file": str(tmp_path / "back.json"), "frames": 31, "fps": 30.0, "retargeted": False}
    assert np.abs(formats.load(tmp_path / "back.json").joints() - clip.joints()).max() < 1e-4


def test_convert_retargets_other_humanoids(tmp_path):
    """A BVH whose joints have Mixamo's names and whose rest pose is not SMPL's."""
    names = {
        "pelvis": "Hips",
        "spine1": "Spine",
        "spine2": "Spine1",
        "spine3": "Spine2",
        "neck": "Neck",
        "head": "Head",
    }
    for side in ("left", "right"):
        parts = {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder"}
        parts |= {"shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}
        names |= {f"{side}_{ours}": f"mixamorig:{side.title()}{theirs}" for ours, theirs in parts.items()}
    text = bvh.from_clip(walk(20), units="cm")
    for ours, theirs in names.items():
        text = text.replace(f"ROOT {ours}\n", f"ROOT mixamorig:{theirs}\n")
        theirs = theirs if ":" in theirs else f"mixamorig:{theirs}"
        text = text.replace(f"JOINT {ours}\n", f"JOINT {theirs}\n")
    (tmp_path / "mixamo.bvh").write_text(text)
    done = kmm("convert", tmp_path / "mixamo.bvh", tmp_path / "clip.npz")
    assert done.returncode == 0, done.stderr
    assert "retargeted to SMPL's body" in done.stdout
    back, clip = formats.load(tmp_path / "clip.npz"), walk(20)
    assert np.abs(back.joints() - clip.joints()).max() < 0.02


def test_convert_with_a_body(tmp_path):
    pytest.importorskip("smplx", reason="SMPL's bodies need smplx: pip install -e '.[smpl]'")
    model = models.write(tmp_path / "smpl_neutral.npz", "smpl")
    formats.save(walk(3), tmp_path / "clip.npz")
    out = tmp_path / "clip.glb"
    done = kmm("convert", tmp_path / "clip.npz", out, "--body", model, "--betas", "1,-2")
    assert done.returncode == 0, done.stderr
    assert b"Skin" in out.read_bytes() and b"KMM Joint" not in out.read_bytes()


def said(*arguments):
    """Exit code and words for people, in this process: a wrong word should not cost the time of a start."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["clip.npz", "x.wav"], "the format is told by the suffix"),
        (["clip.npz", "x.glb", "--units", "cm"], "x.glb: units must be m"),
        (["clip.npz", "x.bvh", "--layout", "smplx"], "x.bvh has no layout to choose"),
        (["clip.npz", "x.bvh", "--fps", "-1"], "--fps must be a positive number"),
        (["clip.npz", "nowhere/x.bvh"], "no folder"),
        (["none.npz", "x.bvh"], "none.npz: No such file"),
        (["clip.npz", "x.glb", "--betas", "1"], "give its model file with --body"),
        (["clip.npz", "y.npz", "--body", "clip.npz"], "npz files hold poses only"),
    ],
)
def test_convert_says_what_is_wrong(tmp_path, monkeypatch, arguments, sentence):
    formats.save(walk(3), tmp_path / "clip.npz")
    monkeypatch.chdir(tmp_path)
    code, words = said("convert", *arguments)
    assert code == 1 and sentence in words
    assert len(words.splitlines()) == 1 and [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


def test_preview_a_film_strip(tmp_path):
    formats.save(walk(40), tmp_path / "clip.npz")
    done = kmm("preview", tmp_path / "clip.npz", "--out", tmp_path / "strip.png", "--bodies", 3)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.width == 1600 and picture.format == "PNG"


def test_preview_a_gif(tmp_path):
    formats.save(walk(13), tmp_path / "clip.npz")
    done = kmm("preview", tmp_path / "clip.npz", "--out", tmp_path / "film.gif", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 13
    with Image.open(tmp_path / "film.gif") as film:
        assert (
            film.n_frames == 9 and film.info["duration"] == 50 and film.size == (WIDTH, HEIGHT)
        )  # 20 a second


def test_preview_an_mp4(tmp_path):
    ffmpeg = pytest.importorskip(
        "imageio_ffmpeg", reason="mp4 needs imageio-ffmpeg: pip install -e '.[preview]'"
    )
    clip = walk(20, fps=60, turn=1.0)
    formats.save(clip, tmp_path / "clip.npz")
    done = kmm("preview", tmp_path / "clip.npz", "--out", tmp_path / "film.mp4")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.npz", "film.mp4"]
    reader = ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    about = next(reader)
    frames = [np.frombuffer(frame, np.uint8).reshape(HEIGHT, WIDTH, 3).astype(float) for frame in reader]
    assert about["size"] == (WIDTH, HEIGHT) and about["fps"] == 30 and len(frames) == 10
    drawn = list(pictures(clip.resample(30)))
    for frame, picture in zip(frames, drawn, strict=True):  # in order, and not distorted by the codec
        errors = [np.abs(frame - np.asarray(other)).mean() for other in drawn]
        assert np.abs(frame - np.asarray(picture)).mean() == min(errors) < 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["clip.npz", "--out", "x.avi"], "must be .mp4, .gif or .png"),
        (["clip.npz", "--out", "nowhere/x.png"], "no folder"),
        (["empty.npz", "--out", "x.gif"], "needs a clip that has frames"),
        (["none.npz", "--out", "x.gif"], "none.npz: No such file"),
    ],
)
def test_preview_says_what_is_wrong(tmp_path, monkeypatch, arguments, sentence):
    formats.save(walk(3), tmp_path / "clip.npz")
    formats.save(walk(3).slice(0, 0), tmp_path / "empty.npz")
    monkeypatch.chdir(tmp_path)
    code, words = said("preview", *arguments)
    assert code == 1 and sentence in words
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.npz", "empty.npz"]


def test_a_film_of_many_frames_is_drawn_in_order_by_several_processes():
    clip = walk(18, fps=10)
    together = list(pictures(clip))
    assert len(together) == 18
    alone = list(pictures(clip.slice(0, 16)))
    assert together[0].size == alone[0].size == (WIDTH, HEIGHT)
    a, b = (np.asarray(p[3], dtype=float) for p in (together, alone))
    assert np.abs(a - b)[:420].mean() < 2  # but for where the camera goes and the timeline
