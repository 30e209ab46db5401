"""Reading what was keyed, and turning the timer by hand."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from types import ModuleType

import bpy
import numpy as np
from kmm.skeleton import JOINT_NAMES
from numpy.typing import NDArray

from .install import PACKAGE


def start_engine(stream: ModuleType) -> None:
    """Start the engine and wait for it."""
    bpy.ops.kmm.start_engine()
    while stream.engine.client is None:
        stream.engine.poll()
        assert stream.engine.running, stream.engine.message
        time.sleep(0.01)


def begin(stream: ModuleType, prompt: str, seconds: float, seed: int) -> None:
    """As the button does. Without a window Blender runs an operator's `execute` whatever one asks for."""
    request = importlib.import_module(f"{PACKAGE}.request").single(bpy.context.scene, prompt, seconds, seed)
    stream.generate(bpy.context, request)


def step_until(stream: ModuleType, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look for news as the timer does, which does not run without a window, until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        stream.tick()
        time.sleep(0.002)


def curves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the object's action that act on the object."""
    animation = obj.animation_data
    if hasattr(animation, "action_slot"):
        (strip,) = animation.action.layers[0].strips
        return list(strip.channelbag(animation.action_slot).fcurves)
    return list(animation.action.fcurves)


def frames_of(obj: bpy.types.Object) -> list[int]:
    """The keyed frames, which must be the same in every curve."""
    found = {tuple(int(p.co.x) for p in c.keyframe_points) for c in curves(obj)}
    (frames,) = found
    return list(frames)


def motion_of(obj: bpy.types.Object) -> NDArray[np.float32]:
    """(T, curves) the keyed values."""
    columns = []
    for curve in curves(obj):
        co = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", co)
        columns.append(co[1::2])
    return np.stack(columns, axis=1)


def joint_positions(
    scene: bpy.types.Scene, obj: bpy.types.Object, frames: Iterable[int]
) -> NDArray[np.float64]:
    """(T, 22, 3) world positions of the bones' heads."""
    found = []
    for frame in frames:
        scene.frame_set(frame)
        found.append([obj.matrix_world @ obj.pose.bones[name].head for name in JOINT_NAMES])
    return np.array(found)
