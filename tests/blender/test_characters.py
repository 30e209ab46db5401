"""`kmm retarget` and `kmm.characters` with every Blender: batches, what goes wrong in them, kills and crashes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import psutil
import pytest
from kmm import characters
from kmm.characters.report import REPORT
from kmm.formats import bvh, save

from .conftest import ROOT, blender_pythons, run
from .inside.motions import stroll

HERE = Path(__file__).parent
MAKE_RIGS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import bpy
from inside import rigs
def path(name):
    return os.path.join(sys.argv[2], name)
def empty():
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
empty()
bpy.ops.wm.save_as_mainfile(filepath=path("empty.blend"))
rigs.built("mixamo")
bpy.ops.wm.save_as_mainfile(filepath=path("mixamo.blend"))
rigs.built("vrm")
bpy.ops.wm.save_as_mainfile(filepath=path("two.blend"))
empty()
rigs.built("unreal4")
bpy.ops.export_scene.fbx(filepath=path("unreal4.fbx"))
empty()
rigs.built("vrm")
bpy.ops.export_scene.gltf(filepath=path("vrm.glb"))
sys.stdout.flush()
os._exit(0)  # Blender 4.2 as a module may crash at its end
"""
CRASH = """
import os, signal
rename = os.replace
def replace(source, target):
    if os.path.basename(target) == "bad.bvh":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.replace = replace
"""


@pytest.fixture(scope="module")
def rigs(blender: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mixamo.blend, unreal4.fbx, vrm.glb, two.blend (both mixamo and vrm) and empty.blend."""
    return make_rigs(blender, tmp_path_factory.mktemp("rigs"))


@pytest.fixture(scope="module")
def one_blender() -> str:
    """For what is the same in every Blender."""
    if not blender_pythons():
        pytest.skip("no Blender: set KMM_BLENDER_PYTHONS to Pythons that can import bpy")
    return blender_pythons()[0]


@pytest.fixture(scope="module")
def its_rigs(one_blender: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `rigs`, of `one_blender`."""
    return make_rigs(one_blender, tmp_path_factory.mktemp("rigs"))


def make_rigs(blender: str, folder: Path) -> Path:
    settings = os.environ | {"BLENDER_USER_RESOURCES": str(folder / "settings")}
    run([blender, "-c", MAKE_RIGS, str(HERE), str(folder)], settings, 120)
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of clips: walk.npz, more/other.bvh, of a skeleton with other names, and broken.npz."""
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    save(stroll(20), folder / "walk.npz")
    text = bvh.from_clip(stroll(12))
    for ours, theirs in MIXAMO.items():
        text = text.replace(f" {ours}\n", f" {theirs}\n")
    (folder / "more" / "other.bvh").write_text(text)
    (folder / "broken.npz").write_bytes(b"no motion")
    return folder


MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
    **{
        f"{side}_{ours}": f"{side.title()}{theirs}"
        for side in ("left", "right")
        for ours, theirs in {
            "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase", "collar": "Shoulder",
            "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
        }.items()
    },
}  # fmt: skip


def kmm_retarget(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kmm.cli", "retarget", *map(str, arguments)],
        capture_output=True, text=True, timeout=250, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_a_batch_goes_on_where_something_is_wrong(
    blender: str, rigs: Path, clips: Path, tmp_path: Path
) -> None:
    names = ["mixamo.blend", "unreal4.fbx", "vrm.glb", "two.blend", "empty.blend"]
    out, users = tmp_path / "out", tmp_path / "settings"
    wheel = users / "extensions/.local/lib/python3.11/site-packages/kmm/__init__.py"
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    arguments = [
        clips,
        *(x for name in names for x in ("--rig", rigs / name)),
        "--out",
        out,
        "--format",
        "bvh",
    ]
    done = kmm_retarget(*arguments, "--blender", blender, BLENDER_USER_RESOURCES=str(users))
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"9 failed: see {out / REPORT}. Run the same again to try them once more.\n"
    *lines, summary = done.stdout.splitlines()
    assert summary == "6 written, 9 failed"
    assert wheel.exists(), "the user's own extensions stay whole"

    told = {line.split()[1]: line for line in lines}
    report = {line["output"]: line for line in map(json.loads, (out / REPORT).read_text().splitlines())}
    assert set(told) == set(report) and len(report) == 15
    for name, line in report.items():
        written = line["status"] == "written"
        assert (out / name).is_file() == written
        assert (f"{line['frames']} frames" if written else line["message"]) in told[name]
    for rig in ("mixamo", "unreal4", "vrm"):
        # at the rate of the rig's file: Blender's own 24, or what an imported character gets
        assert [report[f"{rig}/{clip}.bvh"]["frames"] for clip in ("walk", "more/other")] in (
            [16, 9],
            [20, 12],
        )
        assert report[f"{rig}/broken.bvh"]["message"].startswith("broken.npz")
    for clip in ("walk", "broken", "more/other"):
        assert report[f"empty/{clip}.bvh"]["message"] == "empty.blend has no armature in it"
        assert "two.blend has several armatures, mixamo, vrm" in report[f"two/{clip}.bvh"]["message"]

    again = kmm_retarget(*arguments, "--blender", blender)
    assert again.stdout.splitlines()[-1] == "6 kept, 9 failed"
    chosen = clips / "walk.npz", "--rig", rigs / "two.blend", "--armature", "vrm", "--out", out, "--json"
    done = kmm_retarget(*chosen, "--map", "mixamo", "--blender", blender)
    message = json.loads(done.stdout)["message"]
    assert 'the bone map "Mixamo" does not fit: the rig has no "mixamorig:LeftUpLeg" (left thigh)' in message
    done = kmm_retarget(*chosen, "--map", "vrm", "--blender", blender)
    assert done.returncode == 0 and json.loads(done.stdout)["status"] == "written"


@pytest.mark.timeout(300)
def test_a_batch_that_is_killed_is_resumed(one_blender: str, its_rigs: Path, tmp_path: Path) -> None:
    """Nothing half done is left, nothing is done twice, and all is as if it had not been killed."""
    (tmp_path / "clips").mkdir()
    for i in range(3):
        save(stroll(10 + i), tmp_path / "clips" / f"{i}.npz")
    arguments = [
        tmp_path / "clips",
        "--rig",
        its_rigs / "mixamo.blend",
        "--rig",
        its_rigs / "unreal4.fbx",
        "--format",
        "glb",
    ]
    arguments += ["--blender", one_blender, "--out"]
    whole = kmm_retarget(*arguments, tmp_path / "whole")
    assert whole.returncode == 0, whole.stdout

    command = [sys.executable, "-m", "kmm.cli", "retarget", *map(str, arguments), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        blenders = psutil.Process(process.pid).children()
        process.kill()
    gone, alive = psutil.wait_procs(blenders, timeout=60)
    assert len(gone) == 1 and not alive, "Blender does not outlive what started it"
    done = Counter(
        line.split()[0] for line in kmm_retarget(*arguments, tmp_path / "killed").stdout.splitlines()[:-1]
    )
    assert done["kept"] >= 2 and done["kept"] + done["written"] == 6

    def files(folder: Path) -> dict[str, bytes]:
        return {
            p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file() and p.name != REPORT
        }

    assert len(files(tmp_path / "whole")) == 6
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="the crash is a signal")
def test_a_crash_of_blender_costs_one_clip(
    one_blender: str, its_rigs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("a", "bad", "c"):
        save(stroll(5), tmp_path / f"{name}.npz")
    clips = [tmp_path / f"{name}.npz" for name in ("a", "bad", "c")]
    out = tmp_path / "out"
    found = list(characters.retarget(clips, [its_rigs / "vrm.glb"], out, format="bvh", blender=one_blender))
    assert [outcome.status for outcome in found] == ["written", "failed", "written"]
    assert found[1].message.startswith("Blender crashed (exit code -9)")
    assert sorted(p.name for p in (out / "vrm").iterdir() if not p.name.startswith(".")) == ["a.bvh", "c.bvh"]
    monkeypatch.delenv("PYTHONPATH")
    found = list(characters.retarget(clips, [its_rigs / "vrm.glb"], out, format="bvh", blender=one_blender))
    assert [outcome.status for outcome in found] == ["kept", "kept", "written"]
    assert sorted(p.name for p in (out / "vrm").iterdir()) == ["a.bvh", "bad.bvh", "c.bvh"]


def test_what_is_no_blender_is_said_to_be_none(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "hero.blend").touch()
    arguments = clips, "--rig", tmp_path / "hero.blend", "--out", tmp_path / "out"
    done = kmm_retarget(*arguments, "--blender", tmp_path / "blender")
    assert done.returncode == 1 and "blender" in done.stderr and done.stderr.count("\n") == 1
    done = kmm_retarget(*arguments, "--blender", shutil.which("false") or "false")
    assert done.returncode == 1 and "Blender crashed (exit code 1)" in done.stderr


@pytest.mark.timeout(200)
def test_the_guides_example(one_blender: str, its_rigs: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    save(stroll(5), tmp_path / "clips" / "walk.npz")
    shutil.copy(its_rigs / "mixamo.blend", tmp_path / "hero.blend")
    text = (ROOT / "docs/guide/batch-retargeting.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    example = example.replace('format="fbx"', f'format="fbx", blender={one_blender!r}')
    example = example.replace('"hero-walks.glb"', f'"hero-walks.glb", blender={one_blender!r}')
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "written hero/walk.fbx 4 \n"
    assert (tmp_path / "hero-walks.glb").is_file() and (tmp_path / "out/hero/walk.fbx").is_file()


@pytest.mark.timeout(200)
def test_generate_straight_onto_a_character(
    one_blender: str, its_rigs: Path, weights: Path, tmp_path: Path
) -> None:
    def generate(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "kmm.cli",
            "generate",
            "a person walks forward@1",
            *map(str, arguments),
        ]
        command += ["--weights", str(weights), "--seed", "1"]
        return subprocess.run(command, capture_output=True, text=True, timeout=180)

    out, rig = tmp_path / "hero.bvh", its_rigs / "vrm.glb"
    done = generate("--rig", rig, "--out", out, "--blender", one_blender)
    assert done.returncode == 0, done.stderr
    assert "HIERARCHY" in out.read_text() and "leftUpperArm" in out.read_text()
    for arguments, sentence in (
        (("--out", tmp_path / "hero.npz"), "'npz' is not a format to write"),
        (("--out", out, "--units", "cm"), "--units and --rig do not go together"),
        (("--out", out, "--map", "riggify"), 'no bone map "riggify"'),
    ):
        done = generate("--rig", rig, *arguments)
        assert done.returncode == 1 and sentence in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_installed_wheel_has_all_that_blender_needs(
    one_blender: str, its_rigs: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=400)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    save(stroll(5), tmp_path / "walk.npz")
    arguments = [
        "walk.npz",
        "--rig",
        its_rigs / "vrm.glb",
        "--out",
        "out",
        "--format",
        "glb",
        "--blender",
        one_blender,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "kmm.cli", "retarget", *map(str, arguments)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import kmm.blender; print(kmm.blender.addon_folder())"],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert where.stdout.strip() == str(tmp_path / "site/kmm/addon/blender_addon")
