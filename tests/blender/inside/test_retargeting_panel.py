"""Retargeting as the panel does it: lists, tables of bones, maps on disk, and the operators from scripts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest
from kmm.retarget.bone_map import load, named, save

from . import rigs
from .helpers import begin, joint_positions, step_until
from .install import PACKAGE
from .motions import stroll
from .test_retargeting import SMPL, curves_of, limb_errors, source, watch

PROMPT = "a person walks forward"

retargeting = importlib.import_module(f"{PACKAGE}.retargeting")
maps = importlib.import_module(f"{PACKAGE}.retargeting.maps")
planning = importlib.import_module(f"{PACKAGE}.planning")


@pytest.fixture(autouse=True)
def no_maps_of_the_users() -> Iterator[None]:
    yield
    for path in maps.folder().glob("*.toml"):
        path.unlink()


def select(*objects: bpy.types.Object) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
    bpy.context.view_layer.objects.active = objects[0] if objects else None


def test_from_the_list_of_targets(scene: bpy.types.Scene) -> None:
    """One motion onto two rigs that were selected and added, one of which is then ticked off."""
    giver, first, second = (rigs.built(kind) for kind in ("unreal4", "mixamo", "vrm"))
    retargeting.retarget_clip(stroll(), giver.armature)
    settings = scene.kmm_retargeting
    settings.source.object = giver.armature
    settings.feet = False
    select(giver.armature, first.armature, second.armature)
    assert bpy.ops.kmm.retarget_add() == {"FINISHED"}
    assert [t.object for t in settings.targets] == [first.armature, second.armature]
    assert [t.title for t in settings.targets] == ["Mixamo", "VRM humanoid"]
    assert all(t.how == "By names, 100% sure" and not t.problems for t in settings.targets)
    with pytest.raises(RuntimeError, match="No further armature"):
        bpy.ops.kmm.retarget_add()
    settings.targets[1].use = False
    select()
    assert bpy.ops.kmm.retarget() == {"FINISHED"}
    assert limb_errors(source(), watch(first, range(1, 61))).max() < 0.1
    assert second.armature.animation_data is None
    settings.targets[1].use = True
    bpy.ops.kmm.retarget()
    assert limb_errors(source(), watch(second, range(1, 61))).max() < 0.1
    settings.index = 0
    bpy.ops.kmm.retarget_remove()
    assert [t.object for t in settings.targets] == [second.armature]


def test_from_a_script_by_names_alone(scene: bpy.types.Scene) -> None:
    giver, taker = rigs.built("unreal4"), rigs.built("unknown")
    action = retargeting.retarget_clip(stroll(), giver.armature)
    scene.kmm_retargeting.feet = False
    assert bpy.ops.kmm.retarget(source="unreal4", target="unknown", action=action.name) == {"FINISHED"}
    assert limb_errors(source(), watch(taker, range(1, 61))).max() < 0.1
    for call, words in (
        ({"source": "nobody"}, "There is no object nobody"),
        ({"source": "unreal4", "target": "unknown", "action": "nothing"}, "There is no action nothing"),
        ({"source": "unknown skin", "target": "unreal4"}, "is not an armature"),
        ({}, "There is no source"),
        ({"source": "unreal4"}, "There is no target"),
    ):
        select()
        with pytest.raises(RuntimeError, match=words) as error:
            bpy.ops.kmm.retarget(**call)
        assert len(str(error.value).strip().splitlines()) == 1


def test_a_map_is_mended_in_the_table_saved_and_found_again(scene: bpy.types.Scene, tmp_path: Path) -> None:
    taker = rigs.built("unknown").armature
    settings = scene.kmm_retargeting
    settings.targets.add().object = taker
    rig = settings.targets[0]
    assert rig.how.startswith("By shape") and not rig.problems
    rows = {row.role: row for row in rig.rows}
    right = {row.role: row.bone for row in rig.rows if row.role.startswith("right_")}

    thigh, rows["left_thigh"].bone = rows["left_thigh"].bone, "no such bone"
    assert rig.how == "Edited" and 'There is no bone "no such bone"' in rig.problems
    with pytest.raises(RuntimeError, match="left_thigh"):
        giver = rigs.built("unreal4").armature
        retargeting.retarget_clip(stroll(), giver)
        bpy.ops.kmm.retarget(source="unreal4", target="unknown")
    rows = {row.role: row for row in rig.rows}
    rows["left_thigh"].bone = thigh
    assert not rig.problems

    for row in rig.rows:
        if row.role.startswith("right_"):
            row.bone = ""
    assert "right thigh" in rig.problems
    bpy.ops.kmm.map_mirror(side="left")
    # a rig whose names do not say the side cannot be filled by its names
    mirrored = {row.role: row.bone for row in rig.rows if row.role.startswith("right_")}
    assert mirrored != right and bpy.ops.kmm.map_guess() == {"FINISHED"}
    assert {row.role: row.bone for row in rig.rows if row.role.startswith("right_")} == right

    rig.title = "My monster/1"
    bpy.ops.kmm.map_save()
    (path,) = maps.folder().glob("*.toml")
    assert path.name == "My monster_1.toml" and load(path).bones["left_thigh"] == (thigh,)
    bpy.ops.kmm.map_guess()
    assert rig.title == "My monster/1" and rig.how == "By names, 100% sure"
    (maps.folder() / "broken.toml").write_text("bones = 1")
    bpy.ops.kmm.map_guess()
    assert rig.title == "My monster/1"
    save(named("mixamo"), tmp_path / "other.toml")
    bpy.ops.kmm.map_load(filepath=str(tmp_path / "other.toml"))
    assert rig.title == "Mixamo" and "0% found" in rig.how and rig.problems
    with pytest.raises(RuntimeError, match=r"broken\.toml: "):
        bpy.ops.kmm.map_load(filepath=str(maps.folder() / "broken.toml"))


def test_what_would_hide_the_keys_is_said(scene: bpy.types.Scene) -> None:
    taker = rigs.built("mixamo").armature
    taker.pose.bones["mixamorig:LeftLeg"].constraints.new("COPY_ROTATION")
    taker.pose.bones["mixamorig:RightLeg"].constraints.new("LIMIT_ROTATION")
    rig = scene.kmm_retargeting.targets.add()
    rig.object = taker
    assert rig.problems.startswith('"mixamorig:LeftLeg" is moved by its constraint')
    assert len(rig.problems.splitlines()) == 1


def test_a_source_is_read_off_what_moves(scene: bpy.types.Scene) -> None:
    scene.kmm_retargeting.source.object = rigs.rigify().armature
    assert scene.kmm_retargeting.source.title == "Rigify deform bones"
    scene.kmm_retargeting.table = "SOURCE"
    bpy.ops.kmm.map_mirror(side="left")
    assert not scene.kmm_retargeting.source.problems


def test_one_side_fills_the_other_where_names_say_the_side(scene: bpy.types.Scene) -> None:
    taker = rigs.built("mixamo").armature
    settings = scene.kmm_retargeting
    settings.targets.add().object = taker
    rig = settings.targets[0]
    before = rig.bone_map()
    for row in rig.rows:
        if row.role.startswith("right_"):
            row.bone = ""
    bpy.ops.kmm.map_mirror(side="left")
    assert rig.bone_map() == before and not rig.problems


def test_a_chain_gets_longer_and_a_control_rig_keeps_its_switches(scene: bpy.types.Scene) -> None:
    taker = rigs.rigify()
    settings = scene.kmm_retargeting
    settings.targets.add().object = taker.armature
    rig = settings.targets[0]
    assert rig.bone_map() == named("rigify") or rig.bone_map().properties == named("rigify").properties
    count = len(rig.rows)
    bpy.ops.kmm.map_add(role="spine")
    bpy.ops.kmm.map_add(role="upper_arm")
    assert len(rig.rows) == count + 3
    assert [row.bone for row in rig.rows if row.role == "spine"][-1] == ""
    assert rig.bone_map().bones["spine"] == named("rigify").bones["spine"]  # an empty row is none
    bpy.ops.kmm.map_choose(name="Rigify deform bones")
    assert "DEF-thigh.L" in rig.bone_map().names


def test_a_rig_performs_live(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Generating with a target selected keys it as the motion comes; it moves as KMM's own armature does."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=2.0, seed=1)
    own = scene.kmm.character
    joints = joint_positions(scene, own, range(1, 61))
    there = {role: joints[:, joint] for role, joint in SMPL.items()}
    scene.frame_set(1)
    taker = rigs.rigify()
    settings = scene.kmm_retargeting
    settings.targets.add().object = taker.armature
    settings.feet = False
    select(taker.armature)
    for live in (False, True):
        settings.live = live
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=2.0, seed=1)
        assert (scene.kmm.character == taker.armature) == live
    assert limb_errors(there, watch(taker, range(1, 61))).max() < 0.1
    switches = [c for c in curves_of(taker.armature) if c.data_path.endswith('["IK_FK"]')]
    assert len(switches) == 4 and all(len(c.keyframe_points) == 1 for c in switches)
    modes = {b.name: b.rotation_mode for b in taker.armature.pose.bones}
    assert modes["shoulder.L"] == "YXZ"

    thigh = next(row for row in settings.targets[0].rows if row.role == "left_thigh")
    thigh.bone = ""
    actions = len(bpy.data.actions)
    with pytest.raises(RuntimeError, match="left_thigh") as error:
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=2.0, seed=1)
    assert len(str(error.value).strip().splitlines()) == 1 and len(bpy.data.actions) == actions


def performing(scene: bpy.types.Scene) -> bpy.types.Object:
    """A rig that is selected and a target, and so performs."""
    taker = rigs.built("mixamo").armature
    settings = scene.kmm_retargeting
    settings.live, settings.feet = True, False
    settings.targets.add().object = taker
    select(taker)
    return taker


def test_a_rig_goes_on_with_what_it_began_as(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Ticked off, and taken off the list, while takes wait: it still shows them."""
    taker = performing(scene)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1, takes=2)
    first = keys_of(taker)
    scene.kmm_retargeting.live = False
    assert bpy.ops.kmm.take_show() == {"FINISHED"}
    second = keys_of(taker)
    assert first.keys() == second.keys() and any((first[c] != second[c]).any() for c in first)
    scene.kmm_retargeting.targets.clear()
    assert bpy.ops.kmm.take_show() == {"FINISHED"}
    assert all((first[c] == keys_of(taker)[c]).all() for c in first)
    assert bpy.ops.kmm.take_accept() == {"FINISHED"}


def test_a_rig_performs_in_its_own_scene(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Another scene is looked at in mid-stream, and the loop is closed there: with what its own scene says."""
    taker = performing(scene)
    scene.kmm.loop = True
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=20.0, seed=1)
    want = keys_of(taker)
    request = planning.one(scene, taker, PROMPT, 20.0, 1)
    stream.generate(bpy.context, request)
    step_until(stream, lambda: stream.generation.frames_done > 0)
    assert stream.running()
    other = bpy.data.scenes.new("Other")
    bpy.context.window.scene = other
    step_until(stream, lambda: not stream.running())
    bpy.context.window.scene = scene
    bpy.data.scenes.remove(other)
    assert stream.generation.message == "Done: 600 frames" and not stream.generation.failed
    got = keys_of(taker)
    assert got.keys() == want.keys() and all((got[c] == want[c]).all() for c in want)


def test_several_rigs_follow_live(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """While it comes, each is at every moment as far as KMM's own character; and each take goes onto all."""
    takers = [rigs.built("mixamo"), rigs.built("vrm")]
    settings = scene.kmm_retargeting
    settings.live, settings.feet = True, False
    for taker in takers:
        settings.targets.add().object = taker.armature
    select()
    begin(stream, PROMPT, 20.0, 1)
    step_until(stream, lambda: 0 < stream.generation.frames_done < 600)
    for taker in takers:
        assert taker.armature.animation_data.action is not None
    step_until(stream, lambda: not stream.running())
    own = scene.kmm.character
    assert own not in [taker.armature for taker in takers]
    frames = range(1, 601, 25)
    joints = joint_positions(scene, own, frames)
    there = {role: joints[:, joint] for role, joint in SMPL.items()}
    for taker in takers:
        assert limb_errors(there, watch(taker, frames)).max() < 0.1

    scene.frame_set(1)
    before = [taker.armature.animation_data.action for taker in takers]
    begin(stream, PROMPT, 120.0, 2)
    step_until(stream, lambda: stream.generation.frames_done > 0)
    bpy.data.objects.remove(takers[1].armature)
    step_until(stream, lambda: stream.generation.frames_done > 300)
    bpy.ops.kmm.cancel(restore=True)
    assert takers[0].armature.animation_data.action == before[0]
    assert {a.name.partition(".")[0] for a in bpy.data.actions if a.users - a.use_fake_user > 0} <= {
        PROMPT, f"{PROMPT} (mixamo)",
    }  # fmt: skip

    del takers[1]
    settings.targets.remove(1)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=5, takes=2)
    for take in (0, 1):
        bpy.ops.kmm.take_show(take=take)
        joints = joint_positions(scene, scene.kmm.character, range(1, 31))
        there = {role: joints[:, joint] for role, joint in SMPL.items()}
        assert limb_errors(there, watch(takers[0], range(1, 31))).max() < 0.1
    scene.frame_set(1)
    bpy.ops.kmm.take_reject()
    assert takers[0].armature.animation_data.action == before[0]


def following(scene: bpy.types.Scene) -> list[rigs.Character]:
    """Three rigs that follow the character live, the first by Euler angles."""
    takers = [rigs.built(kind) for kind in ("mixamo", "vrm", "unreal4")]
    for bone in takers[0].armature.pose.bones:
        bone.rotation_mode = "YXZ"
    settings = scene.kmm_retargeting
    settings.live, settings.feet = True, False
    for taker in takers:
        settings.targets.add().object = taker.armature
    select()
    return takers


def test_rigs_follow_when_a_part_is_made_anew(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Outside the part their keys are the same to the bit; within they do as KMM's own character does."""
    takers = following(scene)
    blocks = scene.kmm.blocks
    for prompt in (PROMPT, "a person jumps"):
        bpy.ops.kmm.block_add(prompt=prompt)
    while len(blocks) > 2:
        bpy.ops.kmm.block_remove(index=0)
    for block in blocks:
        block.seconds = 2.0
    bpy.ops.kmm.generate()
    before = [keys_of(taker.armature) for taker in takers]
    actions = [taker.armature.animation_data.action for taker in takers]
    # this one has gone its own way meanwhile
    takers[2].armature.animation_data.action = other = bpy.data.actions.new("another")
    blocks[0].seed += 1
    bpy.ops.kmm.regenerate_block(index=0)

    assert takers[2].armature.animation_data.action == other
    frames = range(1, 121, 6)
    joints = joint_positions(scene, scene.kmm.character, frames)
    there = {role: joints[:, joint] for role, joint in SMPL.items()}
    bent = round(blocks[0].transition * 30)
    for taker, old, action in zip(takers[:2], before, actions, strict=False):
        assert taker.armature.animation_data.action != action
        new = keys_of(taker.armature)
        assert new.keys() == old.keys()
        changed = 0.0
        for path in old:
            assert new[path].shape == old[path].shape
            np.testing.assert_array_equal(new[path][60 + bent :], old[path][60 + bent :])
            changed = max(changed, float(np.abs(new[path][:60, 1] - old[path][:60, 1]).max()))
        assert changed > 0.01
        assert limb_errors(there, watch(taker, frames)).max() < 0.1
    scene.frame_set(1)

    # from the last key on, and taken back
    scene.kmm.place = "CONTINUE"
    bpy.ops.kmm.generate()
    assert max(k[-1, 0] for k in keys_of(takers[0].armature).values()) == 240
    scene.kmm.takes = 2
    scene.kmm.place = "ORIGIN"
    worn = takers[0].armature.animation_data.action
    bpy.ops.kmm.regenerate_block(index=0)
    if stream.pending():
        bpy.ops.kmm.take_show(take=1)
        bpy.ops.kmm.take_reject()
    assert takers[0].armature.animation_data.action == worn


@pytest.mark.parametrize("given", ["MOTION", "POSES"])
def test_rigs_follow_when_a_gap_is_filled(stream: ModuleType, scene: bpy.types.Scene, given: str) -> None:
    """Those that wear the whole of it: around the gap and at the key poses in it their keys stay to the bit."""
    takers = following(scene)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=4.0, seed=2)
    own = scene.kmm.character
    if given == "POSES":  # the user has thinned the keys out on all of them
        poses = {1, 20, 40, 60, 90, 120}
        for obj in (own, *(taker.armature for taker in takers)):
            for curve in curves_of(obj):
                for point in reversed(curve.keyframe_points):
                    if int(point.co.x) not in poses:
                        curve.keyframe_points.remove(point)
                curve.update()
    before = [keys_of(taker.armature) for taker in takers]
    takers[2].armature.animation_data.action = other = bpy.data.actions.new("another")
    bpy.ops.kmm.in_between(frame_start=20, frame_end=60, prompt="a person jumps", given=given)

    assert takers[2].armature.animation_data.action == other
    frames = range(20, 61, 4)
    joints = joint_positions(scene, own, frames)
    there = {role: joints[:, joint] for role, joint in SMPL.items()}
    free = {*range(21, 60)} - ({40} if given == "POSES" else set())
    for taker, old in zip(takers[:2], before, strict=False):
        new, changed = keys_of(taker.armature), 0.0
        assert new.keys() == old.keys()
        for path in old:
            kept = [key for key in new[path] if key[0] not in free]
            np.testing.assert_array_equal(kept, [key for key in old[path] if key[0] not in free])
            assert free <= {*new[path][:, 0]}
            values = np.interp(new[path][:, 0], *old[path].T)
            changed = max(changed, float(np.abs(new[path][:, 1] - values).max()))
        assert changed > 0.01
        assert limb_errors(there, watch(taker, frames)).max() < 0.1


def keys_of(obj: bpy.types.Object) -> dict[tuple[str, int], np.ndarray]:
    """(keys, 2) frames and values of each curve."""
    return {(c.data_path, c.array_index): np.array([p.co for p in c.keyframe_points]) for c in curves_of(obj)}
