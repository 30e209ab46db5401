"""Parts of a motion made anew: a block, what is between poses, what comes after the last key; and what stays."""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy
import numpy as np
import pytest
from kmm import rotations as rot
from kmm.clip import Clip, heading

from .helpers import curves, frames_of, joint_positions
from .install import PACKAGE
from .test_storyboard import board

action_api, performer, planning, reading = (
    importlib.import_module(f"{PACKAGE}.{name}")
    for name in ("action_api", "performer", "planning", "reading")
)
BOARD = (("a person walks forward", 2.0), ("a person sits down", 2.0), ("a person jumps", 2.0))


def values(obj: bpy.types.Object, frames: range, action: bpy.types.Action | None = None) -> np.ndarray:
    """(T, 91) what the curves say at the frames, as 32-bit numbers."""
    found = action_api.curves(action) if action else curves(obj)
    there = {(c.data_path, c.array_index): c for c in found}
    order = [(c.data_path, c.index) for c in performer.performer_for(obj).channels]
    return np.float32([[there[key].evaluate(frame) for key in order] for frame in frames])


def poses(obj: bpy.types.Object, frames: range | list[int]) -> Clip:
    found = reading.motion(obj, performer.performer_for(obj), obj.animation_data.action, frames, 30.0)
    assert found is not None
    return found


def apart(a: Clip, b: Clip) -> tuple[float, float]:
    """Furthest that joints are apart in metres and bones in degrees."""
    turned = rot.as_rotvec(rot.multiply(a.rotations, rot.inv(b.rotations)))
    return np.abs(a.joints() - b.joints()).max(), np.degrees(np.linalg.norm(turned, axis=-1)).max()


#: The scene's rate is the engine's, or not, which is the harder case.
RATES = [pytest.param(30, marks=pytest.mark.slow), 24]


@pytest.fixture(params=RATES)
def made(stream: ModuleType, scene: bpy.types.Scene, request: pytest.FixtureRequest) -> bpy.types.Object:
    """A character with a storyboard of three blocks of two seconds."""
    scene.render.fps = request.param
    board(scene, *BOARD)
    for block in scene.kmm.blocks:
        block.transition = 0.25
    bpy.ops.kmm.generate()
    return scene.kmm.character


@pytest.mark.parametrize(("index", "locked"), [(0, ()), (1, ()), (2, ()), (1, (0,)), (1, (0, 2))])
def test_a_block_anew_leaves_its_neighbours(
    scene: bpy.types.Scene, made: bpy.types.Object, index: int, locked: tuple[int, ...]
) -> None:
    """To the bit outside the transition frames, and where a neighbour is locked, within them too."""
    fps, blocks = scene.render.fps, scene.kmm.blocks
    for number in locked:
        blocks[number].locked = True
    old, before = made.animation_data.action, values(made, range(1, 6 * fps + 1))
    seeds = [b.seed for b in blocks]
    assert bpy.ops.kmm.regenerate_block(index=index, new_seed=True) == {"FINISHED"}
    after, reach = values(made, range(1, 6 * fps + 1)), round(0.25 * fps)
    low = 2 * fps * index - (0 if index - 1 in locked else reach)
    high = 2 * fps * (index + 1) + (0 if index + 1 in locked else reach)
    changed = np.flatnonzero((before != after).any(axis=1))
    assert low <= changed.min() and changed.max() < high and len(changed) > 1.8 * fps
    np.testing.assert_array_equal(
        values(made, range(1, 6 * fps + 1), old), before
    )  # the old take is still there
    assert frames_of(made) == list(range(1, 6 * fps + 1))
    assert [b.seed for b in blocks] == [s + (i == index) for i, s in enumerate(seeds)]
    assert {b.action for b in blocks} == {made.animation_data.action} and made.animation_data.action != old
    # the seams are no jumps: a frame's step is of the size of those around it
    steps = np.abs(np.diff(joint_positions(scene, made, range(1, 6 * fps + 1)), axis=0)).max(axis=(1, 2))
    for seam in {low, high} & set(range(3, 6 * fps - 3)):
        assert steps[seam - 1] < 3 * max(*steps[seam - 4 : seam - 1], *steps[seam : seam + 3])


def test_the_same_seed_again_is_the_same_block(scene: bpy.types.Scene, made: bpy.types.Object) -> None:
    found = []
    for _ in range(2):
        bpy.ops.kmm.regenerate_block(index=1)
        found.append(values(made, range(1, 100)))
    # the transition frames are the neighbours' too, and are made from what was left of them
    np.testing.assert_allclose(found[0], found[1], atol=0.2)


def test_locked_blocks_stay_when_all_is_generated(scene: bpy.types.Scene, made: bpy.types.Object) -> None:
    """Also when the blocks before them have become longer: then they move in time, with every key."""
    fps, blocks = scene.render.fps, scene.kmm.blocks
    before = values(made, range(1, 6 * fps + 1))
    blocks[1].locked = True
    for block in (blocks[0], blocks[2]):
        block.seed += 10
    bpy.ops.kmm.generate()
    same = (values(made, range(1, 6 * fps + 1)) == before).all(axis=1)
    assert same[2 * fps : 4 * fps].all() and not same[: 2 * fps].any() and not same[4 * fps :].any()
    blocks[0].seconds = 2.5
    bpy.ops.kmm.generate()
    shifted = values(made, range(1, round(6.5 * fps) + 1))
    np.testing.assert_array_equal(shifted[round(2.5 * fps) :][: 2 * fps], before[2 * fps : 4 * fps])
    assert frames_of(made) == list(range(1, round(6.5 * fps) + 1))


@pytest.mark.parametrize(
    ("locked", "counts"),
    [
        ((1,), (0, 2)),
        ((0,), (1,)),
        ((2,), (1, 3)),
        ((0, 1), (2,)),
        ((0, 1, 3), (2,)),
        ((1, 3), (0, 2)),
        ((), (3,)),
    ],
)
def test_transitions_are_of_the_new_blocks_beside_locked_ones(
    stream: ModuleType, scene: bpy.types.Scene, locked: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    """The engine takes one length for all: the longest. Where nothing stays, the last block's, for a loop."""
    board(scene, *BOARD, ("a person waves", 2.0))
    bpy.ops.kmm.generate()
    blocks, lengths = scene.kmm.blocks, (0.5, 0.2, 0.9, 0.3)
    for block, length in zip(blocks, lengths, strict=True):
        block.transition = length
    for index in locked:
        blocks[index].locked = True
    request = planning.whole(scene, scene.kmm.character)
    assert request.reach == round(max(lengths[i] for i in counts) * 30)


@pytest.mark.parametrize(
    ("change", "call", "words"),
    [
        ("blocks[1].locked = True", "regenerate_block(index=1)", "Block 2 is locked"),
        ("blocks[1].seconds = 3", "regenerate_block(index=1)", "length of block 2 has changed"),
        ("blocks.remove(0); blocks.add()", "regenerate_block(index=2)", "Block 3 has no motion yet"),
        ("", "regenerate_block(index=5)", "no block 6"),
        ("blocks[0].locked = True; blocks[0].seconds = 3", "generate()", "Block 1 is locked, but its length"),
        ("[setattr(b, 'locked', True) for b in blocks]", "generate()", "All blocks are locked"),
        ("blocks[0].locked = True; scene.kmm.loop = True", "generate()", "loop needs the whole"),
        ("bpy.data.armatures.remove(made.data)", "regenerate_block(index=1)", "gone"),
        ("made.animation_data_clear()", "in_between()", "no keys"),
        ("", "in_between(frame_start=5, frame_end=6)", "nothing to fill"),
        ("", "in_between(frame_start=5, frame_end=9)", "Every frame"),
        ("", "in_between(frame_start=500, frame_end=509)", "No pose is keyed"),
        ("scene.frame_set(-50)", "in_between()", "both sides"),
        ("scene.kmm.place = 'CONTINUE'; made.animation_data_clear()", "generate()", "no keys to go on from"),
    ],
)
def test_what_cannot_be_made_is_said_and_changes_nothing(
    stream: ModuleType, scene: bpy.types.Scene, change: str, call: str, words: str
) -> None:
    board(scene, *((prompt, 0.5) for prompt, _ in BOARD))
    bpy.ops.kmm.generate()
    names = {"bpy": bpy, "scene": scene, "blocks": scene.kmm.blocks, "made": scene.kmm.character}
    exec(change, names)
    actions = set(bpy.data.actions)
    with pytest.raises(RuntimeError, match=words) as error:
        eval(f"bpy.ops.kmm.{call}", names)
    assert len(str(error.value).strip().splitlines()) == 1
    assert set(bpy.data.actions) == actions and not stream.running()


def posed(scene: bpy.types.Scene, frames: list[int]) -> bpy.types.Object:
    """A character with poses of a real motion keyed by hand at some frames: the user's own keys, in Bezier."""
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=4.0, seed=2)
    obj = scene.kmm.character
    action = obj.animation_data.action
    keep = set(frames)
    for curve in action_api.curves(action):
        for point in reversed(curve.keyframe_points):
            if int(point.co.x) not in keep:
                curve.keyframe_points.remove(point)
            else:
                point.interpolation, point.type = "BEZIER", "EXTREME"
        curve.update()
    return obj


def keys(obj: bpy.types.Object, frame: int) -> list[tuple[object, ...]]:
    """All of the keys at a frame but their handles."""
    found = []
    for curve in curves(obj):
        found += [
            (curve.data_path, curve.array_index, tuple(p.co), p.type)
            for p in curve.keyframe_points
            if p.co.x == frame
        ]
    return found


@pytest.mark.parametrize("fps", RATES)
def test_filled_between_key_poses(stream: ModuleType, scene: bpy.types.Scene, fps: int) -> None:
    """The given poses are there, to the bit, as the keys that they were; all between them is new."""
    scene.render.fps = fps
    frames = [1, 20, 33, 60, 90]
    obj = posed(scene, frames)
    old, given = keys(obj, 20), poses(obj, frames)
    bpy.ops.kmm.in_between(frame_start=1, frame_end=60, prompt="a person walks", seed=3)
    assert frames_of(obj) == [*range(1, 61), 90]
    assert max(apart(poses(obj, frames), given)) < 1e-6
    assert keys(obj, 20) == old and {p.type for p in curves(obj)[5].keyframe_points if p.co.x == 21} == {
        "GENERATED"
    }
    # blended, not snapped: the steps to and from a given pose are like those between others
    steps = np.abs(np.diff(poses(obj, range(1, 61)).joints(), axis=0)).max(axis=(1, 2))
    at = np.array([18, 19, 31, 32])
    assert steps[at].max() < 1.5 * np.delete(steps, at).max()
    # and once more, without a choice: from the key before the playhead to the one after it
    scene.frame_set(75)
    bpy.ops.kmm.in_between(prompt="a person walks")
    assert frames_of(obj) == list(range(1, 91)) and max(apart(poses(obj, frames), given)) < 1e-6


def test_selected_keys_say_what_to_fill(stream: ModuleType, scene: bpy.types.Scene) -> None:
    obj = posed(scene, [1, 20, 40, 60])
    for curve in curves(obj):
        for point in curve.keyframe_points:
            point.select_control_point = point.co.x in (20, 40)
    bpy.ops.kmm.in_between()
    assert frames_of(obj) == [1, *range(20, 41), 60]


@pytest.mark.parametrize("fps", RATES)
def test_a_gap_in_a_motion(stream: ModuleType, scene: bpy.types.Scene, fps: int) -> None:
    """Before and after it the motion stays to the bit."""
    scene.render.fps = fps
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=4.0, seed=2)
    obj = scene.kmm.character
    before = values(obj, range(1, 4 * fps + 1))
    bpy.ops.kmm.in_between(frame_start=30, frame_end=60, prompt="a person jumps", given="MOTION")
    after = values(obj, range(1, 4 * fps + 1))
    assert np.flatnonzero((before != after).any(axis=1)).tolist() == list(range(30, 59))


@pytest.mark.parametrize("fps", RATES)
def test_going_on_after_the_last_key(stream: ModuleType, scene: bpy.types.Scene, fps: int) -> None:
    """The motion before stays to the bit; what follows begins where it ended, without a jump."""
    scene.render.fps = fps
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=3.0, seed=2)
    obj = scene.kmm.character
    before = values(obj, range(1, 3 * fps + 1))
    board(scene, ("a person turns left", 1.0), ("a person sits down", 1.0))
    scene.kmm.place = "CONTINUE"
    assert bpy.ops.kmm.generate() == {"FINISHED"}
    assert frames_of(obj) == list(range(1, 5 * fps + 1))
    np.testing.assert_array_equal(values(obj, range(1, 3 * fps + 1)), before)
    assert [(b.made_start, b.made_frames) for b in scene.kmm.blocks] == [
        (3 * fps + 1, fps),
        (4 * fps + 1, fps),
    ]
    steps = np.abs(np.diff(joint_positions(scene, obj, range(3 * fps - 10, 3 * fps + 10)), axis=0)).max(
        axis=(1, 2)
    )
    assert steps[10] < 3 * steps.max(initial=0, where=np.arange(len(steps)) != 10)
    assert bpy.ops.kmm.regenerate_block(index=0) == {"FINISHED"}  # and its blocks are blocks like others


def test_starting_where_the_character_stands(stream: ModuleType, scene: bpy.types.Scene) -> None:
    board(scene, ("a person walks forward", 1.0))
    bpy.ops.kmm.generate(prompt="a person turns", seconds=1.0, seed=4)
    obj = scene.kmm.character
    pelvis = obj.pose.bones["pelvis"]
    scene.frame_set(20)
    pelvis.location.x += 2
    pelvis.keyframe_insert("location", frame=20)
    stood = poses(obj, [20])
    scene.kmm.place, scene.kmm.frame_start = "HERE", 20
    bpy.ops.kmm.generate()
    start = poses(obj, [20])
    np.testing.assert_allclose(start.translation[0, :2], stood.translation[0, :2], atol=1e-5)
    np.testing.assert_allclose(heading(start.rotations[0, 0]), heading(stood.rotations[0, 0]), atol=1e-4)


@pytest.mark.parametrize("fps", [30, 24, 60])
def test_a_loop_closes(stream: ModuleType, scene: bpy.types.Scene, fps: int) -> None:
    """The step from the last frame to the first one is a step like the others; so is the step's change."""
    scene.render.fps = fps
    scene.kmm.loop, scene.kmm.in_place = True, True
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=3.0, seed=1)
    obj = scene.kmm.character
    joints = joint_positions(scene, obj, [*range(1, 3 * fps + 1), *range(1, 11)])
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=1)
    seam = 3 * fps - 1
    assert steps[seam] <= 1.5 * np.percentile(steps, 95)
    assert np.ptp(joints[:, 0, :2], axis=0).max() < 0.02
