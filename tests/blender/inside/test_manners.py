"""What goes wrong, and what must stay as it was."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import venv
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from .helpers import begin, curves, frames_of, joint_positions, motion_of, start_engine, step_until
from .install import PACKAGE

PROMPT = "a person walks forward"
LONG = (PROMPT, 600.0, 1)


def begin_long(stream: ModuleType) -> None:
    """A generation that has keyed something and has much left to do."""
    begin(stream, *LONG)
    step_until(stream, lambda: stream.generation.frames_done > 0)
    assert stream.running()


def test_killed_engine_keeps_the_keys_and_the_next_generate_works(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    begin_long(stream)
    os.kill(stream.engine.pid, signal.SIGKILL)
    step_until(stream, lambda: not stream.running())
    generation = stream.generation
    obj = scene.kmm.character
    kept = frames_of(obj)
    assert generation.failed and kept == list(range(1, 1 + len(kept))) and 0 < len(kept) < 18000
    assert generation.message == f"The engine stopped unexpectedly; {len(kept)} of 18000 frames are kept"
    values = motion_of(obj)
    assert np.allclose(np.linalg.norm(values[:, 3:7], axis=1), 1, atol=1e-4)
    assert np.abs(values[-1, 3:]).sum() != 22  # the last one is a pose, not the rest pose
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}
    assert len(frames_of(obj)) == 30


def test_killed_while_idle(stream: ModuleType, scene: bpy.types.Scene) -> None:
    start_engine(stream)
    os.kill(stream.engine.pid, signal.SIGKILL)
    step_until(stream, lambda: not stream.engine.running)
    assert stream.engine.description == "Engine failed"
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1) == {"FINISHED"}


def test_cancel_keeps_the_keys_and_the_engine_is_idle_at_once(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    begin_long(stream)
    assert bpy.ops.kmm.cancel() == {"FINISHED"}
    since = time.monotonic()
    while stream.engine.client.status().busy:
        assert time.monotonic() - since < 5
    kept = frames_of(scene.kmm.character)
    assert 0 < len(kept) < 18000
    assert stream.generation.message == f"Cancelled; {len(kept)} of 18000 frames are kept"
    assert not stream.generation.failed
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}


def test_cancel_before_the_first_frame_leaves_no_trace(stream: ModuleType, scene: bpy.types.Scene) -> None:
    before = set(bpy.data.objects), set(bpy.data.actions), set(bpy.data.armatures), set(bpy.data.meshes)
    begin(stream, *LONG)
    assert len(bpy.data.objects) > len(before[0])
    bpy.ops.kmm.cancel()
    assert before == (
        set(bpy.data.objects),
        set(bpy.data.actions),
        set(bpy.data.armatures),
        set(bpy.data.meshes),
    )
    assert stream.generation.message == "Cancelled"


def test_cancelled_before_the_first_frame_leaves_the_earlier_take(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    obj = scene.kmm.character
    action, motion = obj.animation_data.action, motion_of(obj)
    begin(stream, *LONG)
    stream.tick()
    bpy.ops.kmm.cancel()
    assert obj.animation_data.action == action and list(bpy.data.actions) == [action]
    np.testing.assert_array_equal(motion_of(obj), motion)


def test_a_stopped_engine(stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path) -> None:
    """Stopped in mid-generation, started in wrong ways that each get one sentence, and started again."""
    # this Blender's own Python may have kmm beside bpy; one made from it has not
    venv.create(tmp_path / "bare", symlinks=os.name != "nt")
    bare = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    begin_long(stream)
    pid = stream.engine.pid
    bpy.ops.kmm.stop_engine()
    assert "frames are kept" in stream.generation.message and not stream.running()
    step_until(stream, lambda: not stream.engine.busy)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    good = preferences.weights
    objects = set(bpy.data.objects)
    for python, weights, words in (
        ("/nowhere/python", good, "There is no program /nowhere/python"),
        (__file__, good, "cannot be started"),
        (os.fspath(bare), good, "kmm"),
        ("", "no-such-weights", "no-such-weights"),
    ):
        preferences.python, preferences.weights = python, weights
        with pytest.raises(RuntimeError, match=words) as error:
            bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
        assert len(str(error.value).strip().splitlines()) == 1
        assert objects == set(bpy.data.objects)
    preferences.python, preferences.weights = "", good
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1) == {"FINISHED"}


def everything_else(scene: bpy.types.Scene) -> dict[str, object]:
    """What a generation must leave as it is."""
    layer = bpy.context.view_layer
    cube = bpy.data.objects["Cube"]
    return {
        "frames": (scene.frame_current, scene.frame_start, scene.frame_end, scene.use_preview_range),
        "rate": (scene.render.fps, scene.render.fps_base),
        "mode": bpy.context.mode,
        "active": layer.objects.active,
        "selected": {o.name for o in layer.objects if o.select_get()},
        "transforms": {
            o.name: tuple(map(tuple, o.matrix_world)) for o in layer.objects if "KMM" not in o.name
        },
        "cursor": tuple(map(tuple, scene.cursor.matrix)),
        "keys": [tuple(p.co) for c in curves(cube) for p in c.keyframe_points],
        "action": (cube.animation_data.action, cube.animation_data.action.use_fake_user),
        "mesh": len(cube.data.vertices),
        "markers": [(m.name, m.frame) for m in scene.timeline_markers],
        "settings": (bpy.context.tool_settings.use_keyframe_insert_auto, scene.tool_settings.keyframe_type),
        "collections": {
            c.name: {o.name for o in c.objects if "KMM" not in o.name} for c in bpy.data.collections
        },
    }


@pytest.mark.parametrize("mode", ["OBJECT", "EDIT", "SCULPT", "POSE", "none active"])
def test_nothing_else_changes(stream: ModuleType, scene: bpy.types.Scene, mode: str) -> None:
    cube = bpy.data.objects["Cube"]
    cube.keyframe_insert("location", frame=3)
    cube.location.x = 2
    cube.keyframe_insert("location", frame=30)
    scene.frame_set(7)
    scene.frame_start, scene.frame_end = 5, 50
    if mode == "POSE":
        bpy.ops.object.armature_add()
    elif mode == "none active":
        bpy.ops.object.select_all(action="DESELECT")
        bpy.context.view_layer.objects.active = None
    if mode != "none active":
        bpy.ops.object.mode_set(mode=mode)
    before = everything_else(scene)
    objects = set(bpy.data.objects)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1)
    assert everything_else(scene) == before
    new = set(bpy.data.objects) - objects
    assert {o.type for o in new} == {"ARMATURE", "MESH"} and len(new) == 2
    assert frames_of(scene.kmm.character)[0] == 7
    if mode != "none active":
        bpy.ops.object.mode_set(mode="OBJECT")


def test_a_file_saved_in_mid_generation_holds_no_run_state(
    stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    begin_long(stream)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "half.blend"), copy=True)
    saved = stream.generation.frames_kept
    step_until(stream, lambda: stream.generation.frames_done > saved)
    # and the generation goes on: while ten minutes come, every fourth frame is worn
    assert frames_of(scene.kmm.character) == list(range(1, 18001, 4))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "half.blend"))
    assert not stream.running() and stream.tick() in (None, 1.0)
    step_until(stream, lambda: not stream.engine.client.status().busy)
    scene = bpy.context.scene
    obj = scene.kmm.character
    assert frames_of(obj) == list(range(1, 1 + saved)) and len(bpy.data.actions) == 1
    assert set(scene.kmm.keys()) <= {"blocks", "active_block", "character"}
    assert {k for k in scene.keys() if "kmm" in k} <= {"kmm", "kmm_retargeting"}  # noqa: SIM118
    assert not list(scene.kmm_retargeting.keys()) and not list(obj.keys())
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1) == {"FINISHED"}


def test_opening_another_file_in_mid_generation_is_clean(
    stream: ModuleType, scene: bpy.types.Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    begin_long(stream)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert not stream.running()
    step_until(stream, lambda: not stream.engine.client.status().busy)
    assert "Traceback" not in "".join(capfd.readouterr())
    assert not bpy.data.actions


def test_a_file_opened_in_mid_generation_gets_no_undo_step(
    stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a motion that is not in it."""
    announced: list[bool] = []
    monkeypatch.setattr(stream, "_announce", lambda: announced.append(True))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other.blend"))
    begin_long(stream)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "other.blend"))
    for _ in range(3):
        stream.tick()
    assert not stream._to_announce and not announced


def test_a_character_that_is_deleted_is_forgotten(
    stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    """The panel names it no more, and it is not in the file; undo brings it back."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    bpy.context.preferences.edit.use_global_undo = True
    obj = scene.kmm.character
    name = obj.name
    moved = bpy.data.collections.new("Elsewhere")
    scene.collection.children.link(moved)
    moved.objects.link(obj)
    next(c for c in obj.users_collection if c != moved).objects.unlink(obj)
    bpy.context.view_layer.update()
    assert scene.kmm.character == obj
    bpy.ops.ed.undo_push(message="before")
    with bpy.context.temp_override(selected_objects=[obj, *obj.children]):
        bpy.ops.object.delete()
    bpy.ops.ed.undo_push(message="Delete")
    bpy.context.view_layer.update()
    assert scene.kmm.character is None
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "without.blend"), copy=True)
    with bpy.data.libraries.load(str(tmp_path / "without.blend")) as (there, _):
        assert name not in there.objects
    bpy.ops.ed.undo()
    assert bpy.context.scene.kmm.character.name == name


@pytest.mark.parametrize("what", ["action", "armature"])
def test_deleting_what_is_being_keyed_ends_it(stream: ModuleType, scene: bpy.types.Scene, what: str) -> None:
    begin_long(stream)
    obj = scene.kmm.character
    if what == "action":
        bpy.data.actions.remove(obj.animation_data.action)
    else:
        action = obj.animation_data.action
        bpy.data.armatures.remove(obj.data)
        bpy.data.actions.remove(action)
    step_until(stream, lambda: not stream.running())
    assert "gone" in stream.generation.message
    step_until(stream, lambda: not stream.engine.client.status().busy)


def test_generating_goes_on_while_the_scene_is_used(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Scrubbing and changing the rate in mid-stream: the motion is what it would have been."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=20.0, seed=3)
    want = motion_of(scene.kmm.character)
    begin(stream, PROMPT, 20.0, 3)
    step_until(stream, lambda: stream.generation.frames_done > 0)
    scene.frame_set(5)
    scene.render.fps = 24
    step_until(stream, lambda: not stream.running())
    np.testing.assert_array_equal(motion_of(scene.kmm.character), want)
    assert np.isfinite(joint_positions(scene, scene.kmm.character, [600])).all()


def test_a_linked_armature_says_what_to_do(
    stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    name = scene.kmm.character.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, into):
        into.objects = [name]
    (linked,) = into.objects
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.scene.kmm.character = linked
    with pytest.raises(RuntimeError, match="library override"):
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    override = linked.override_create(remap_local_usages=True)
    bpy.context.scene.kmm.character = override
    bpy.context.scene.render.fps = 30
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1) == {"FINISHED"}
    assert len(frames_of(override)) == 15


def test_every_icon_exists_in_this_blender() -> None:
    """A name that is missing would keep the panel from being drawn, which nothing without a window notices."""
    known = bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"].enum_items.keys()
    folder = Path(sys.modules[PACKAGE].__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    used = set(re.findall(r'icon="(\w+)"', source)) | set(
        sys.modules[f"{PACKAGE}.engine_panel"].ENGINE_ICONS.values()
    )
    assert len(used) > 6 and used <= set(known)


def test_disabled_and_enabled_twice(
    stream: ModuleType, scene: bpy.types.Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    """First in mid-generation; nothing is left behind, and afterwards everything works."""
    begin_long(stream)
    pid = stream.engine.pid
    for _ in range(2):
        assert _handlers()
        bpy.ops.preferences.addon_disable(module=PACKAGE)
        assert not _handlers() and not bpy.app.timers.is_registered(stream.tick)
        assert not hasattr(bpy.types.Scene, "kmm") and not hasattr(bpy.types, "VIEW3D_PT_kmm")
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        bpy.ops.preferences.addon_enable(module=PACKAGE)
    # no weights chosen: those that come with the engine, which walk when asked to walk
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=4.0, seed=1)
    assert "Traceback" not in "".join(capfd.readouterr())
    sys.modules[f"{PACKAGE}.stream"].engine.close()
    joints = joint_positions(scene, scene.kmm.character, range(1, 121))
    x, y, _ = joints[-1, 0] - joints[0, 0]
    assert y < -1.5 and abs(x) < -y / 2  # to the front, which is -Y
    assert np.abs(joints[..., 2].min(axis=1)).max() < 0.15  # on the floor


def _handlers() -> list[object]:
    groups = ("load_pre", "save_pre", "undo_post", "redo_post")
    return [h for g in groups for h in getattr(bpy.app.handlers, g) if PACKAGE in h.__module__]
