"""Scenes, undo and Blender's own ways, in the middle of a stream: nothing fails, nothing of the user's is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType

import bpy
import numpy as np
import pytest

from .helpers import begin, curves, frames_of, motion_of, step_until
from .install import PACKAGE

PROMPT = "a person walks forward"


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing may go wrong on the console."""
    yield
    assert "Traceback" not in "".join(capfd.readouterr())


def begin_and_key(stream: ModuleType, seconds: float) -> bpy.types.Object:
    """A generation that has keyed something and has something left to do; its character."""
    begin(stream, PROMPT, seconds, 1)
    step_until(stream, lambda: stream.generation.frames_done > 0)
    assert stream.running()
    return bpy.context.scene.kmm.character


def until_idle(stream: ModuleType) -> None:
    step_until(stream, lambda: not stream.running())
    step_until(stream, lambda: not stream.engine.client.status().busy)


def complete(obj: bpy.types.Object, frames: int) -> bool:
    return frames_of(obj) == list(range(1, 1 + frames)) and bool(np.abs(motion_of(obj)[-1]).any())


def show(scene: bpy.types.Scene) -> None:
    bpy.context.window.scene = scene
    bpy.context.view_layer.update()


def test_another_scene_is_shown_meanwhile(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """The motion goes on in its scene; the other one is left alone, and then gets one of its own."""
    obj = begin_and_key(stream, 60.0)
    second = bpy.data.scenes.new("Second")
    show(second)
    assert not bpy.ops.kmm.generate.poll()  # one at a time
    objects = set(second.objects)
    step_until(stream, lambda: not stream.running())
    assert complete(obj, 1800) and stream.generation.message == "Done: 1800 frames"
    assert second.kmm.character is None and set(second.objects) == objects
    second.render.fps = 30
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}
    other = second.kmm.character
    assert other != obj and frames_of(other) == list(range(1, 31)) and complete(obj, 1800)
    show(scene)
    bpy.data.scenes.remove(second)


def test_the_character_is_deleted_in_the_view(stream: ModuleType, scene: bpy.types.Scene) -> None:
    obj = begin_and_key(stream, 600.0)
    with bpy.context.temp_override(selected_objects=[obj]):
        bpy.ops.object.delete()
    until_idle(stream)
    assert "gone" in stream.generation.message
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}
    assert complete(scene.kmm.character, 30)


def test_the_scene_is_deleted(stream: ModuleType, scene: bpy.types.Scene) -> None:
    action = begin_and_key(stream, 600.0).animation_data.action
    second = bpy.data.scenes.new("Second")
    show(second)
    bpy.data.scenes.remove(scene)
    until_idle(stream)
    assert "gone" in stream.generation.message
    second.render.fps = 30
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}
    assert second.kmm.character.animation_data.action != action


def test_range_rate_and_selection_change(stream: ModuleType, scene: bpy.types.Scene) -> None:
    obj = begin_and_key(stream, 60.0)
    scene.frame_start, scene.frame_end, scene.use_preview_range = 10, 40, True
    scene.render.fps, scene.render.fps_base = 24, 1.001
    obj.name, obj.hide_viewport = "renamed", True
    bpy.data.objects["Cube"].select_set(False)
    step_until(stream, lambda: not stream.running())
    assert complete(obj, 1800)
    assert (scene.frame_start, scene.frame_end, scene.use_preview_range) == (10, 40, True)
    assert (scene.render.fps, scene.render.fps_base) == (24, pytest.approx(1.001))
    assert obj.hide_viewport and not bpy.data.objects["Cube"].select_get()


def test_undo_and_redo_of_something_else(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """The keys that undo has taken back come again, and the rest after them."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=60.0, seed=1)
    want = motion_of(scene.kmm.character)
    bpy.context.preferences.edit.use_global_undo = True
    begin_and_key(stream, 60.0)
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects["Cube"].location.x = 3.0
    bpy.ops.ed.undo_push(message="moved")
    done = stream.generation.frames_done
    step_until(stream, lambda: stream.generation.frames_done > done)
    bpy.ops.ed.undo()
    assert stream.running() and bpy.data.objects["Cube"].location.x == 0.0
    stream.tick()
    bpy.ops.ed.redo()
    assert stream.running() and bpy.data.objects["Cube"].location.x == 3.0
    step_until(stream, lambda: not stream.running())
    np.testing.assert_array_equal(motion_of(bpy.context.scene.kmm.character), want)
    assert stream.generation.message == "Done: 1800 frames"


def test_undo_takes_the_character_away(stream: ModuleType, scene: bpy.types.Scene) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    bpy.data.objects["Cube"].location.x = 3.0
    bpy.ops.ed.undo_push(message="before")
    before = {o.name for o in bpy.data.objects}
    bpy.data.objects["Cube"].location.x = 4.0
    bpy.ops.ed.undo_push(message="moved")
    begin_and_key(stream, 600.0)
    bpy.ops.ed.undo()
    until_idle(stream)
    assert "gone" in stream.generation.message
    assert {o.name for o in bpy.data.objects} == before and not bpy.data.actions
    assert bpy.data.objects["Cube"].location.x == 3.0


def steps_in_mid_stream(stream: ModuleType, seconds: float) -> None:
    """A step before the generation, and one while its keys come."""
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    begin_and_key(stream, seconds)
    bpy.data.objects["Cube"].select_set(False)
    bpy.ops.ed.undo_push(message="Select")


def turn(stream: ModuleType) -> None:
    for _ in range(3):
        stream.tick()


def test_what_is_undone_in_mid_stream_leaves_nothing(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Nor does redo bring half a motion: it goes on to the end, or it is gone."""
    steps_in_mid_stream(stream, 600.0)
    bpy.ops.ed.undo()
    until_idle(stream)
    turn(stream)
    assert stream.generation.message.startswith("Ended") and "kept" not in stream.generation.message
    assert not bpy.data.actions and not bpy.data.armatures
    assert bpy.context.scene.kmm.character is None
    bpy.ops.ed.redo()  # which no step of ours has made impossible
    turn(stream)
    assert not bpy.data.objects["Cube"].select_get()
    assert not bpy.data.actions and not bpy.data.armatures


@pytest.mark.parametrize("long", [False, True])
def test_a_step_of_mid_stream_is_gone_back_to(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    """No half motion is left, at rest where keys had not yet come: all that came is there again, and kept."""
    if long:
        call_200_frames_long(monkeypatch)
    steps_in_mid_stream(stream, 20.0)
    step_until(stream, lambda: not stream.running())
    turn(stream)
    want = motion_of(bpy.context.scene.kmm.character)
    assert complete(bpy.context.scene.kmm.character, 600)
    bpy.ops.ed.undo()
    turn(stream)
    obj = bpy.context.scene.kmm.character
    np.testing.assert_array_equal(motion_of(obj), want)
    assert complete(obj, 600) and len(bpy.data.actions) == 1 and obj.animation_data.action.use_fake_user
    bpy.ops.ed.undo()
    turn(stream)
    assert not bpy.data.actions and not bpy.data.armatures


def in_tweak_mode(obj: bpy.types.Object) -> bpy.types.AnimData:
    """As Tab in the NLA editor has it, with a strip of the object's own."""
    animation = obj.animation_data_create()
    if not animation.nla_tracks:
        own = bpy.data.actions.new("on a strip")
        animation.nla_tracks.new().strips.new("on a strip", 1, own)
    animation.nla_tracks[0].select = animation.nla_tracks[0].strips[0].select = True
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode and animation.is_property_readonly("action")
    return animation


@pytest.mark.parametrize("when", ["before any key", "in mid-stream"])
def test_tweak_mode_is_waited_for(stream: ModuleType, scene: bpy.types.Scene, when: str) -> None:
    """While it lasts nothing can be put on the character, which is said; then all comes."""
    if when == "in mid-stream":
        begin_and_key(stream, 20.0)
    else:
        begin(stream, PROMPT, 20.0, 1)
    obj = scene.kmm.character
    animation = in_tweak_mode(obj)
    shown = stream.generation.frames_done
    for _ in range(100):
        stream.tick()
    assert stream.running() and stream.generation.frames_done == shown
    assert "tweak mode; leave it (Tab) first" in stream.generation.held
    animation.use_tweak_mode = False
    step_until(stream, lambda: not stream.running())
    assert complete(obj, 600) and not stream.generation.held and not stream.generation.failed


@pytest.mark.parametrize("restore", [True, False])
def test_cancelled_in_tweak_mode(stream: ModuleType, scene: bpy.types.Scene, restore: bool) -> None:
    """Which is left then, to have on the character what is kept or what was there before."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1)
    obj = scene.kmm.character
    before, motion = obj.animation_data.action, motion_of(obj)
    begin_and_key(stream, 600.0)
    animation = in_tweak_mode(obj)
    stream.tick()
    assert bpy.ops.kmm.cancel(restore=restore) == {"FINISHED"}
    assert not stream.running() and not animation.use_tweak_mode
    if restore:
        assert animation.action == before
        np.testing.assert_array_equal(motion_of(obj), motion)
    else:
        kept = stream.generation.frames_kept
        assert complete(obj, kept) and 0 < kept < 18000


def test_takes_wait_in_tweak_mode(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """A plain sentence says what to do to accept one; all can be rejected, which leaves it."""
    scene.kmm.accept_as = "STRIP"
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1, takes=2)
    obj = scene.kmm.character
    animation = in_tweak_mode(obj)
    for choose in (bpy.ops.kmm.take_show, bpy.ops.kmm.take_accept, bpy.ops.kmm.generate):
        with pytest.raises(RuntimeError, match="tweak mode; leave it"):
            choose()
        assert stream.pending()
    animation.use_tweak_mode = False
    assert bpy.ops.kmm.take_show() == {"FINISHED"}
    in_tweak_mode(obj)
    assert bpy.ops.kmm.take_reject() == {"FINISHED"}
    assert scene.kmm.character is None and {a.name for a in bpy.data.actions} == {"on a strip"}


def test_keys_wait_for_a_render(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that is changed while Blender renders can crash it; and no undo step is made then."""
    rendering = [False]
    monkeypatch.setattr(stream, "_rendering", lambda: rendering[0])
    obj = begin_and_key(stream, 20.0)
    shown = motion_of(obj)
    rendering[0] = True
    for _ in range(100):
        stream.tick()
    assert stream.running() and stream.generation.held == "Waiting until the render is done"
    np.testing.assert_array_equal(motion_of(obj), shown)
    rendering[0] = False
    step_until(stream, lambda: not stream.running())
    assert complete(obj, 600) and not stream.generation.held
    rendering[0] = True
    turn(stream)
    assert stream._to_announce
    rendering[0] = False
    turn(stream)
    assert not stream._to_announce


@pytest.mark.parametrize("where", ["step", "end", "poll", "catch_up", "redraw"])
def test_the_timer_outlives_any_mistake(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Which is shown on the console; the next motion comes as ever."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    shown: list[str] = []
    monkeypatch.setattr(stream.traceback, "print_exc", lambda: shown.append(where))
    begin_and_key(stream, 600.0)
    generation = stream.generation
    with monkeypatch.context() as patch:
        if where in ("step", "end"):
            patch.setattr(generation, "step", fail)
        if where == "end":
            patch.setattr(generation, "_end", fail)
        if where == "catch_up":
            generation.cancel()
            patch.setattr(generation, "catch_up", fail)
        if where == "poll":
            patch.setattr(stream.engine, "poll", fail)
        if where == "redraw":
            patch.setattr(stream, "_redraw", fail)
        assert stream.tick() is not None and shown
    until_idle(stream)
    turn(stream)
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}


def test_no_undo_step_lands_within_what_is_being_dragged(stream: ModuleType) -> None:
    """Blender's own tools that hold what may yet be cancelled are told by their options, not by their names."""
    for name, holds in (
        ("transform.translate", True),
        ("mesh.bevel", True),
        ("mesh.loopcut_slide", True),
        ("pose.push", True),
        ("pose.breakdown", True),
        ("sculpt.brush_stroke", True),
        ("screen.animation_play", False),
        ("render.render", False),
        ("kmm.report", False),
    ):
        group, _, call = name.partition(".")
        assert stream.holds(getattr(getattr(bpy.ops, group), call)) == holds, name


def test_the_user_animates_the_same_character(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Another action on it, keys of the user's own and edit mode: the stream ends on the action that it began."""
    obj = begin_and_key(stream, 60.0)
    made = obj.animation_data.action
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    stream.tick()
    bpy.ops.object.mode_set(mode="OBJECT")
    mine = bpy.data.actions.new("mine")
    obj.animation_data.action = mine
    obj.keyframe_insert("location", frame=5)
    step_until(stream, lambda: not stream.running())
    assert obj.animation_data.action == mine and len(curves(obj)[0].keyframe_points) == 1
    obj.animation_data.action = made
    if hasattr(made, "slots"):
        obj.animation_data.action_slot = made.slots[0]
    assert complete(obj, 1800)


def call_200_frames_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, what is done with motions of many minutes is done with these."""
    monkeypatch.setattr(sys.modules[f"{PACKAGE}.performance"], "LIVE_KEYS", 200)


def actions() -> set[str]:
    return {a.name.partition(".")[0] for a in bpy.data.actions}


def test_a_long_motion_is_worn_thinned_until_all_is_there(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undone in part, then shown whole: the same keys as without all this, and nothing else is left."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=20.0, seed=1)
    obj = scene.kmm.character
    want, before = motion_of(obj), set(bpy.data.actions)
    assert complete(obj, 600) and actions() == {PROMPT}
    bpy.context.preferences.edit.use_global_undo = True
    call_200_frames_long(monkeypatch)
    obj = begin_and_key(stream, 20.0)
    assert frames_of(obj) == list(range(1, 601, 3))
    shown = stream.generation.frames_done
    np.testing.assert_array_equal(motion_of(obj)[: (shown + 2) // 3], want[:shown:3])
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects["Cube"].location.x = 3.0
    bpy.ops.ed.undo_push(message="moved")
    step_until(stream, lambda: stream.generation.frames_done > shown)
    bpy.ops.ed.undo()
    stream.tick()
    bpy.ops.ed.redo()
    step_until(stream, lambda: not stream.running())
    obj = bpy.context.scene.kmm.character
    np.testing.assert_array_equal(motion_of(obj), want)
    assert complete(obj, 600) and actions() == {PROMPT} and len(bpy.data.actions) == len(before) + 1


@pytest.mark.parametrize("restore", [False, True])
def test_a_long_motion_is_cancelled(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch, restore: bool
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=20.0, seed=1)
    obj = scene.kmm.character
    want, before = motion_of(obj), obj.animation_data.action
    call_200_frames_long(monkeypatch)
    begin_and_key(stream, 20.0)
    bpy.ops.kmm.cancel(restore=restore)
    kept = len(frames_of(obj))
    if restore:
        assert obj.animation_data.action == before and list(bpy.data.actions) == [before]
        return
    assert stream.generation.message == f"Cancelled; {kept} of 600 frames are kept" and 0 < kept < 600
    assert frames_of(obj) == list(range(1, kept + 1)) and len(bpy.data.actions) == 2
    np.testing.assert_array_equal(motion_of(obj), want[:kept])


def test_the_user_takes_a_long_motion_off(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action of the user's own choice stays on; the motion is there, complete."""
    call_200_frames_long(monkeypatch)
    obj = begin_and_key(stream, 20.0)
    mine = bpy.data.actions.new("mine")
    obj.animation_data.action = mine
    step_until(stream, lambda: not stream.running())
    assert obj.animation_data.action == mine and actions() == {"mine", PROMPT}
    (made,) = [a for a in bpy.data.actions if a != mine]
    obj.animation_data.action = made
    if hasattr(made, "slots"):
        obj.animation_data.action_slot = made.slots[0]
    assert complete(obj, 600)


@pytest.mark.slow
def test_scripts_are_reloaded(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """As Reload Scripts does: the old engine and timer are gone, what was keyed stays, and all works anew."""
    obj = begin_and_key(stream, 600.0)
    pid, tick = stream.engine.pid, stream.tick
    bpy.utils.load_scripts(reload_scripts=True)
    assert not bpy.app.timers.is_registered(tick)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    kept = frames_of(obj)
    assert kept == list(range(1, 1 + len(kept))) and 0 < len(kept) < 18000
    bpy.context.preferences.addons[PACKAGE].preferences.weights = os.environ["KMM_TEST_WEIGHTS"]
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1) == {"FINISHED"}
    sys.modules[f"{PACKAGE}.stream"].engine.close()
