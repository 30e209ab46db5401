"""What a batch has to do, what is kept of it, and bone maps that are asked for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from kmm import characters
from kmm.characters import maps, report
from kmm.characters.report import Outcome
from kmm.characters.tasks import Settings, plan
from kmm.retarget import Options
from kmm.retarget.bone_map import named, save, to_toml

from .humanoids import rig_like


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some clips and rigs; nobody opens them here."""
    for name in ("clips/walk.npz", "clips/more/run.bvh", "clips/notes.txt", "hero.blend", "other.glb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(folder: Path, clips: list[str], rigs: list[str], format: str = "fbx") -> list[str]:
    tasks = plan([folder / c for c in clips], [folder / r for r in rigs], folder / "out", format, Settings())
    assert all(task.output == folder / "out" / task.name for task in tasks)
    return [task.name for task in tasks]


def test_each_clip_goes_on_each_rig_and_folders_keep_their_places(folder: Path) -> None:
    assert names(folder, ["clips"], ["hero.blend", "other.glb"]) == [
        "hero/more/run.fbx", "hero/walk.fbx", "other/more/run.fbx", "other/walk.fbx",
    ]  # fmt: skip
    assert names(folder, ["clips/more/run.bvh"], ["hero.blend"], "glb") == ["hero/run.glb"]


@pytest.mark.parametrize(("clips", "rigs", "format", "message"), [
    (["nothing.npz"], ["hero.blend"], "fbx", "There is no file or folder .*nothing.npz"),
    (["clips/notes.txt"], ["hero.blend"], "fbx", "notes.txt: a clip must be a .npz, "),
    (["clips"], ["villain.blend"], "fbx", "There is no file .*villain.blend"),
    (["clips"], ["clips/walk.npz"], "fbx", "walk.npz: a character must be a .blend, .fbx, .glb or .gltf file"),
    (["clips"], ["hero.blend"], "mp4", "'mp4' is not a format to write: choose blend, fbx, glb or bvh"),
    (["clips", "clips/walk.npz"], ["hero.blend"], "fbx", "would both be written to hero/walk.fbx; rename one"),
    (["empty"], ["hero.blend"], "fbx", "There are no clips in .*empty"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_before_anything_is(
    folder: Path, clips: list[str], rigs: list[str], format: str, message: str
) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        names(folder, clips, rigs, format)
    assert not (folder / "out").exists()


def test_settings_are_checked_at_the_call(folder: Path) -> None:
    arguments = [folder / "clips"], [folder / "hero.blend"], folder / "out"
    with pytest.raises(ValueError, match='no bone map "riggify"'):
        characters.retarget(*arguments, bone_map="riggify")
    with pytest.raises(ValueError, match="Root motion is follow, pelvis, root or in place, not 'legs'"):
        characters.retarget(*arguments, options=Options(root_motion="legs"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="The frame rate must be positive, got -1"):
        characters.retarget(*arguments, fps=-1)


def test_what_a_result_is_made_of_is_in_its_key(folder: Path) -> None:
    def key(**settings: object) -> str:
        arguments = [folder / "clips/walk.npz"], [folder / "hero.blend"], folder / "out", "fbx"
        (task,) = plan(*arguments, Settings(**settings))  # type: ignore[arg-type]
        return task.key

    seen = [key(), key(fps=24.0), key(bone_map=to_toml(named("rigify"))), key(options=Options(feet=True))]
    for changed in ("clips/walk.npz", "hero.blend"):
        assert key() == seen[0]
        path = folder / changed
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))
        seen.append(key())
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 10**9))
    assert len(set(seen)) == len(seen)


def test_a_report_outlives_being_cut_off(tmp_path: Path) -> None:
    first = Outcome("hero/walk.fbx", "failed", "walk.npz", "hero.blend", "a", message="it did not work")
    second = replace(first, status="written", frames=60, message="")
    third = replace(first, output="hero/run.fbx")
    for outcome in (first, second, third):
        report.add(tmp_path, outcome)
    with open(tmp_path / report.REPORT, "a") as file:
        file.write('{"output": "hero/jum')
    assert report.read(tmp_path) == {"hero/walk.fbx": second, "hero/run.fbx": third}
    report.add(tmp_path, replace(third, output="hero/sit.fbx"))  # on a line of its own
    assert len(report.read(tmp_path)) == 3
    report.write(tmp_path, report.read(tmp_path).values())
    assert len((tmp_path / report.REPORT).read_text().splitlines()) == 3
    assert report.read(tmp_path / "elsewhere") == {}


def test_a_map_that_is_asked_for_says_what_the_rig_lacks(tmp_path: Path) -> None:
    mixamo = named("mixamo")
    rig = rig_like(mixamo).rig
    assert maps.fitted(mixamo, rig) == (mixamo, "")
    with pytest.raises(
        ValueError, match=r'"Unreal 4.*" does not fit: the rig has no "pelvis" \(hips\), "thigh_l"'
    ):
        maps.fitted(named("unreal4"), rig)
    more = replace(mixamo, bones={**mixamo.bones, "left_hand": ("Claw",)})
    found, note = maps.fitted(more, rig)
    assert note == 'the rig has no "Claw" (left hand)' and "left_hand" not in found.bones
    less = replace(mixamo, bones={r: c for r, c in mixamo.bones.items() if r != "left_shin"})
    with pytest.raises(ValueError, match='"Mixamo" names no bone for left shin'):
        maps.fitted(less, rig)
    save(mixamo, tmp_path / "mine.toml")
    assert maps.asked(str(tmp_path / "mine.toml")) == maps.asked("mixamo") == mixamo
