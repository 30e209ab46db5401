"""From a prompt to a keyed armature, with a real engine process."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import bpy
import kmm
import numpy as np
import pytest
from kmm.clip import Clip
from kmm.protocol import Done, Frames, PromptSegment
from kmm.skeleton import JOINT_NAMES
from mathutils import Euler

from .helpers import begin, curves, frames_of, joint_positions, motion_of, step_until
from .install import PACKAGE

PROMPT = "a person walks forward"


def expected_clip(stream: ModuleType, frames: int, fps: float, seed: int = 1) -> Clip:
    """What the engine answers to the same request, asked for without the add-on."""
    client = stream.engine.client
    request = client.generate([PromptSegment(PROMPT, frames)], seed)
    events = list(client.events(request, 60))
    assert isinstance(events[-1], Done)
    parts = [e for e in events if isinstance(e, Frames)]
    whole = Clip(np.concatenate([p.translation for p in parts]), np.concatenate([p.rotations for p in parts]))
    return whole.resample(fps)


@pytest.mark.parametrize(
    ("rotation", "scale", "location"),
    [
        ((0, 0, 0), 1.0, (0, 0, 0)),
        ((0, 0.7, 0), 1.0, (0, 0, 0)),
        ((0, 0, 2.1), 1.0, (1, 2, 3)),
        ((0.3, 0.7, -2.0), 0.4, (-2, 0.5, 1)),
    ],
)
def test_bones_are_where_forward_kinematics_has_them(
    stream: ModuleType, scene: bpy.types.Scene, rotation: tuple, scale: float, location: tuple
) -> None:
    """To 1 mm at every frame; the armature object's transform carries the motion."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.2, seed=1)
    obj = scene.kmm.character
    obj.rotation_euler, obj.scale, obj.location = Euler(rotation), (scale,) * 3, location
    scene.frame_set(11)
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=2.0, seed=1) == {"FINISHED"}
    assert scene.kmm.character == obj
    clip = expected_clip(stream, 60, 30.0)
    assert frames_of(obj) == list(range(11, 71))
    world = np.array(obj.matrix_world)
    want = clip.joints() @ world[:3, :3].T + world[:3, 3]
    found = joint_positions(scene, obj, range(11, 71))
    assert np.abs(found - want).max() < 1e-3
    assert np.abs(np.ptp(found, axis=0)).max() > 1e-3  # it does move


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.001), (60, 1.0)])
def test_the_scene_rate_is_kept(stream: ModuleType, scene: bpy.types.Scene, fps: int, base: float) -> None:
    """As many frames as the seconds have at the scene's rate; each pose is the motion at its own time."""
    scene.render.fps, scene.render.fps_base = fps, base
    rate = fps / base
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=2.0, seed=1)
    count = round(2.0 * rate)
    assert (scene.render.fps, scene.render.fps_base) == (fps, pytest.approx(base))
    obj = scene.kmm.character
    assert frames_of(obj) == list(range(1, 1 + count))
    asked = int(np.ceil((count - 1) * 30 / rate - 1e-9)) + 1
    want = expected_clip(stream, asked, rate).slice(0, count)
    assert np.abs(joint_positions(scene, obj, range(1, 1 + count)) - want.joints()).max() < 1e-3


def test_keys_are_linear_and_have_sane_handles(stream: ModuleType, scene: bpy.types.Scene) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1)
    for curve in curves(scene.kmm.character):
        for a, b in zip(curve.keyframe_points[:-1], curve.keyframe_points[1:], strict=True):
            assert a.interpolation == "LINEAR"
            assert a.co.x <= a.handle_right.x <= b.handle_left.x <= b.co.x
    groups = {c.group.name for c in curves(scene.kmm.character)}
    assert groups == set(JOINT_NAMES)


def test_same_seed_same_motion_and_another_seed_another(stream: ModuleType, scene: bpy.types.Scene) -> None:
    motions = []
    for seed in (5, 5, 6):
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=seed)
        motions.append(motion_of(scene.kmm.character))
    np.testing.assert_array_equal(motions[0], motions[1])
    assert not np.array_equal(motions[0], motions[2])


def test_earlier_takes_stay_in_the_file(stream: ModuleType, scene: bpy.types.Scene, tmp_path) -> None:
    for seed in (1, 2):
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=seed)
    names = {a.name for a in bpy.data.actions}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "takes.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "takes.blend"))
    assert names == {a.name for a in bpy.data.actions} and len(names) == 2


def test_which_character_gets_the_motion(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """The selected active one, else the last one; a new one where there is none."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    first = scene.kmm.character
    scene.kmm.character = None
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    second = scene.kmm.character
    assert second != first
    kept = second.animation_data.action
    mannequin = first.children[0]
    mannequin.select_set(True)
    bpy.context.view_layer.objects.active = mannequin
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1)
    assert scene.kmm.character == first and len(frames_of(first)) == 30
    assert second.animation_data.action == kept and len(frames_of(second)) == 15
    mannequin.select_set(False)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.2, seed=1)
    assert scene.kmm.character == first and len(frames_of(first)) == 6
    bpy.data.objects.remove(first)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.2, seed=1)
    assert scene.kmm.character not in (None, second)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": "   "}, "prompt is empty"),
        ({"seconds": 0.0}, "seconds long"),
        ({"seconds": 1e9}, "seconds long"),
        ({"prompt": "walk " * 200}, "characters"),
    ],
)
def test_bad_input_gets_one_sentence_and_changes_nothing(
    stream: ModuleType, scene: bpy.types.Scene, values: dict, words: str
) -> None:
    before = set(bpy.data.objects), set(bpy.data.actions), set(bpy.data.armatures), set(bpy.data.meshes)
    with pytest.raises(RuntimeError, match=words) as error:
        bpy.ops.kmm.generate(**{"prompt": PROMPT, "seconds": 1.0, "seed": 1} | values)
    assert "Traceback" not in str(error.value)
    assert before == (
        set(bpy.data.objects),
        set(bpy.data.actions),
        set(bpy.data.armatures),
        set(bpy.data.meshes),
    )
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1) == {"FINISHED"}


def test_it_streams(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Without waiting: keys are there before the last frame is, and the rest of the curve is at rest."""
    begin(stream, PROMPT, 60.0, 1)
    assert not bpy.ops.kmm.generate.poll() and bpy.ops.kmm.cancel.poll()
    step_until(stream, lambda: stream.generation.frames_done > 0)
    done = stream.generation.frames_done
    assert done < stream.generation.frames_total == 1800
    obj = scene.kmm.character
    early = motion_of(obj)
    step_until(stream, lambda: not stream.running())
    assert stream.generation.message == "Done: 1800 frames" and not stream.generation.failed
    late = motion_of(obj)
    np.testing.assert_array_equal(early[:done], late[:done])
    assert frames_of(obj) == list(range(1, 1801))


@pytest.mark.skipif(
    "extensions" not in kmm.__file__, reason="this Python has a kmm of its own, found before the zip's"
)
def test_only_the_light_half_is_here() -> None:
    """The installed kmm imports whole, without torch, and what needs torch is not in it."""
    names = [m.name for m in pkgutil.walk_packages(kmm.__path__, "kmm.")]
    assert {"kmm.client", "kmm.formats.bvh"} <= set(names)
    for name in names:
        importlib.import_module(name)
    assert "torch" not in sys.modules
    assert not {"kmm.model", "kmm.server", "kmm.cli", "kmm.training"} & set(names)


def overridden_collection(scene: bpy.types.Scene, tmp_path: Path) -> bpy.types.Collection:
    """A library override of a collection with one object; it is the active collection."""
    given = bpy.data.collections.new("Set")
    given.objects.link(bpy.data.objects.new("Prop", None))
    path = str(tmp_path / "set.blend")
    bpy.data.libraries.write(path, {given})
    bpy.data.batch_remove([given.objects[0], given])
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.collections = ["Set"]
    scene.collection.children.link(into.collections[0])
    override = into.collections[0].override_hierarchy_create(scene, bpy.context.view_layer)
    layers = bpy.context.view_layer.layer_collection.children
    bpy.context.view_layer.active_layer_collection = next(x for x in layers if x.collection == override)
    return override


def test_an_overridden_collection_is_active(
    stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    """Nothing can be put into it: the character goes into the scene's own."""
    override = overridden_collection(scene, tmp_path)
    assert override.override_library is not None
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1) == {"FINISHED"}
    obj = scene.kmm.character
    assert {o.name for o in scene.collection.objects} >= {obj.name, obj.children[0].name}


@pytest.mark.parametrize("what", ["bones", "mannequin"])
def test_a_character_that_cannot_be_made_leaves_nothing(
    stream: ModuleType, scene: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such luck")

    module = sys.modules[f"{PACKAGE}.mannequin" if what == "mannequin" else f"{PACKAGE}.armature"]
    monkeypatch.setattr(module, "_material" if what == "mannequin" else "add_bones", fail)
    groups = ("objects", "armatures", "meshes", "actions", "scenes")
    before = {group: set(getattr(bpy.data, group)) for group in groups}
    with pytest.raises(RuntimeError, match="no such luck"):
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=1)
    assert before == {group: set(getattr(bpy.data, group)) for group in groups}
    assert scene.kmm.character is None and not stream.running()
