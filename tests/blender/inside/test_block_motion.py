"""A block made anew is the block that the animator sees: on its own character, and where its keys lie now."""

from __future__ import annotations

from types import ModuleType

import bpy
import numpy as np
import pytest

from .helpers import curves, joint_positions
from .test_parts import values
from .test_storyboard import board

PROMPT = "a person walks forward"


@pytest.fixture
def obj(stream: ModuleType, scene: bpy.types.Scene) -> bpy.types.Object:
    """A character with a storyboard of three blocks of a second."""
    board(scene, (PROMPT, 1.0), ("a person sits down", 1.0), ("a person jumps", 1.0))
    for block in scene.kmm.blocks:
        block.transition = 0.2
    bpy.ops.kmm.generate()
    return scene.kmm.character


def another(scene: bpy.types.Scene) -> bpy.types.Object:
    """A second character, with a motion of its own, that is selected."""
    first = scene.kmm.character
    scene.kmm.character = None
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5)
    second = scene.kmm.character
    assert second != first
    return second


def move_keys(obj: bpy.types.Object, frames: float, first: int = -1000) -> None:
    """As in the dope sheet: the keys from a frame on."""
    for curve in curves(obj):
        for point in curve.keyframe_points:
            if point.co.x >= first:
                point.co_ui.x += frames
        curve.update()


def starts(scene: bpy.types.Scene) -> list[int]:
    return [block.made_start for block in scene.kmm.blocks]


@pytest.mark.parametrize("as_strip", [False, True])
@pytest.mark.parametrize("locked", [False, True])
def test_another_characters_block_is_left_alone(
    scene: bpy.types.Scene, obj: bpy.types.Object, locked: bool, as_strip: bool
) -> None:
    if as_strip:
        scene.kmm.accept_as = "STRIP"
        bpy.ops.kmm.regenerate_block(index=0)
    other = another(scene)
    before = [o.animation_data.action for o in (obj, other)], set(bpy.data.actions)
    scene.kmm.blocks[0].locked = locked
    with pytest.raises(RuntimeError, match=rf"Block \d was made for {obj.name}; select it") as error:
        bpy.ops.kmm.generate() if locked else bpy.ops.kmm.regenerate_block(index=1)
    assert len(str(error.value).strip().splitlines()) == 1
    assert ([o.animation_data.action for o in (obj, other)], set(bpy.data.actions)) == before
    scene.kmm.character = obj
    assert bpy.ops.kmm.regenerate_block(index=1) == {"FINISHED"}


def test_a_motion_that_is_not_on_the_character(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    action = obj.animation_data.action
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5)
    with pytest.raises(RuntimeError, match=f'"{action.name}" of block 2 is not on {obj.name}'):
        bpy.ops.kmm.regenerate_block(index=1)


@pytest.mark.parametrize("reduced", [False, True])
def test_all_keys_moved(scene: bpy.types.Scene, obj: bpy.types.Object, reduced: bool) -> None:
    if reduced:
        bpy.ops.kmm.reduce_keys()
    move_keys(obj, 40)
    before = joint_positions(scene, obj, range(41, 131))
    bpy.ops.kmm.regenerate_block(index=1, new_seed=True)
    after = joint_positions(scene, obj, range(41, 131))
    changed = np.flatnonzero(np.abs(after - before).max(axis=(1, 2)) > 1e-4) + 41
    assert changed.min() >= 71 - 6 and changed.max() < 101 + 6 and len(changed) > 25
    assert starts(scene) == [41, 71, 101]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_some_blocks_moved(scene: bpy.types.Scene, obj: bpy.types.Object, index: int) -> None:
    """Time put in before the second block: what is before and after the gap is found."""
    move_keys(obj, 40, 31)
    before = values(obj, range(1, 131))
    bpy.ops.kmm.regenerate_block(index=index, new_seed=True)
    changed = np.flatnonzero((values(obj, range(1, 131)) != before).any(axis=1)) + 1
    start = (1, 71, 101)[index]
    made = set(range(start, start + 30))
    assert len(made & set(changed)) > 25
    assert starts(scene) == [1, 71, 101]
    lone = set(range(31, 71))  # between what was moved and what was not there are no keys
    assert all(start - 6 <= frame < start + 36 or frame in lone for frame in changed)


def test_a_locked_block_is_found_where_its_keys_are(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    before = values(obj, range(31, 61))
    move_keys(obj, 40)
    scene.kmm.blocks[1].locked = True
    scene.kmm.blocks[0].seed += 5
    bpy.ops.kmm.generate()
    np.testing.assert_array_equal(values(obj, range(31, 61)), before)


def test_what_was_only_edited_is_not_taken_for_moved(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    for curve in curves(obj):
        if curve.data_path.endswith("location"):
            for point in curve.keyframe_points:
                point.co_ui.y += 0.3
    bpy.ops.kmm.regenerate_block(index=1)
    assert starts(scene) == [1, 31, 61]
