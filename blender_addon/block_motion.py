"""Where the motion of a block lies in its action: marked when it is kept, and found again where its keys were moved.

The marks are the pelvis' places at a few frames of the block. Keys that are moved in time take them along to the
bit; where most of them are not found anywhere, the motion was edited, and is taken to be where it was.
"""

from __future__ import annotations

import bpy
import numpy as np
from kmm.skeleton import JOINT_NAMES
from numpy.typing import NDArray

from . import action_api
from .storyboard import MARKS, KMM_Block

Array = NDArray[np.floating]

PATH = f'pose.bones["{JOINT_NAMES[0]}"].location'
NEAR = 1e-5  #: metres, of a mark that is found


def mark(scene: bpy.types.Scene, obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Mark the blocks whose motion is in the action as it is now."""
    curves = _curves(obj, action)
    for block in _blocks(scene, action):
        block.marks = _places(curves, _frames(block)).ravel() if curves else np.zeros(3 * MARKS)


def follow(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """Let the blocks know where their keys have been moved to."""
    for action in {block.action for block in scene.kmm.blocks if block.action is not None}:
        curves = _curves(obj, action)
        for block in _blocks(scene, action) if curves else ():
            block.made_start += _moved(curves, block)


def _moved(curves: list[bpy.types.FCurve], block: KMM_Block) -> int:
    """By how many frames."""
    marks = np.array(block.marks).reshape(MARKS, 3)
    frames = _frames(block)
    if not marks.any() or _found(_places(curves, frames), marks) == MARKS:
        return 0
    first = int(min(curve.range()[0] for curve in curves))
    last = int(max(curve.range()[1] for curve in curves))
    places = _places(curves, np.arange(first, last + 1))
    shifts = range(first - frames[0], last - frames[-1] + 1)
    found = {shift: _found(places[frames + shift - first], marks) for shift in shifts}
    best = max(found, key=lambda shift: (found[shift], shift == 0), default=0)
    return best if found.get(best, 0) > MARKS // 2 else 0


def _found(places: Array, marks: Array) -> int:
    return int((np.abs(places - marks).max(axis=1) < NEAR).sum())


def _frames(block: KMM_Block) -> NDArray[np.int64]:
    inside = np.linspace(0, block.made_frames - 1, MARKS).round().astype(np.int64)
    return inside + block.made_start


def _places(curves: list[bpy.types.FCurve], frames: NDArray[np.int64]) -> Array:
    """(T, 3)"""
    return np.array([[curve.evaluate(frame) for curve in curves] for frame in frames.tolist()])


def _curves(obj: bpy.types.Object, action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """Of the pelvis' location; none if it is not all there."""
    there = {c.array_index: c for c in action_api.curves_of(action, obj) if c.data_path == PATH}
    whole = len(there) == 3 and all(len(curve.keyframe_points) for curve in there.values())
    return [there[axis] for axis in range(3)] if whole else []


def _blocks(scene: bpy.types.Scene, action: bpy.types.Action) -> list[KMM_Block]:
    return [block for block in scene.kmm.blocks if block.action == action and block.made_frames]
