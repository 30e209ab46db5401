"""Keys that stay when a part of a motion is made anew."""

from __future__ import annotations

import importlib

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .helpers import curves
from .install import PACKAGE

action_api, keying, kept_keys = (
    importlib.import_module(f"{PACKAGE}.{name}") for name in ("action_api", "keying", "kept_keys")
)
CHANNELS = [keying.Channel("location", i, "A", 0.0) for i in range(3)]
HANDLES = ("AUTO", "AUTO_CLAMPED", "VECTOR", "ALIGNED", "FREE")
INTERPOLATIONS = ("CONSTANT", "LINEAR", "BEZIER", "SINE", "ELASTIC")


@pytest.fixture
def empty(scene: bpy.types.Scene) -> bpy.types.Object:
    obj = bpy.data.objects.new("Empty", None)
    scene.collection.objects.link(obj)
    return obj


def animate(obj: bpy.types.Object, rng: np.random.Generator, frames: list[int]) -> bpy.types.Action:
    """Keys as a person has them: any frames, any handles, any interpolation, and a curve without keys between."""
    action = action_api.new_action("mine", obj.name)
    action_api.assign(obj, action)
    for axis in range(3):
        curve = action_api.new_curve(action_api.curves(action), "location", axis, "A")
        for frame in frames:
            if axis < 2 or rng.random() < 0.5:
                point = curve.keyframe_points.insert(frame, rng.normal())
                point.interpolation = str(rng.choice(INTERPOLATIONS))
                point.handle_left_type = point.handle_right_type = str(rng.choice(HANDLES))
                point.type = "EXTREME"
        curve.update()
    return action


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.lists(st.integers(-20, 80), min_size=2, max_size=12, unique=True),
    first=st.integers(0, 40),
    length=st.integers(1, 30),
    seed=st.integers(0, 1000),
    pieces=st.lists(st.integers(1, 10), min_size=1, max_size=6),
)
def test_outside_the_part_the_curves_are_the_same_to_the_bit(
    empty: bpy.types.Object, frames: list[int], first: int, length: int, seed: int, pieces: list[int]
) -> None:
    """Where a frame has a key, to the bit, and between sparse keys to rounding; within the part, what was made.

    Beyond its outermost keys a curve stays at whatever is outermost now.
    """
    rng = np.random.default_rng(seed)
    old = animate(empty, rng, sorted(frames))
    outside = [f for f in range(-20, 81) if not first <= f < first + length]
    before = {c.array_index: [c.evaluate(f) for f in outside] for c in curves(empty)}
    span = {
        c.array_index: (c.keyframe_points[0].co.x, c.keyframe_points[-1].co.x)
        for c in curves(empty)
        if c.keyframe_points
    }
    new = action_api.copy_action(old, "new")
    stretches = [kept_keys.Stretch(-np.inf, first - 1), kept_keys.Stretch(first + length, np.inf)]
    kept = keying.Kept(old.session_uid, "", stretches)
    keyer = keying.Keyer(new, CHANNELS, first, length, None, kept)
    values = rng.normal(size=(length, 3)).astype(np.float32)
    at = 0
    for piece in pieces:
        keyer.append(values[at : at + piece])
        at += piece
        keyer.write()
    keyer.append(values[at:])
    keyer.write()
    action_api.assign(empty, new)
    for curve in curves(empty):
        axis = curve.array_index
        made = [curve.evaluate(f) for f in range(first, first + length)]
        np.testing.assert_array_equal(np.float32(made), values[:, axis])
        low, high = span.get(axis, (np.inf, -np.inf))
        for frame, value in zip(outside, before[axis], strict=True):
            # beyond its last key a curve stays at whatever is last now
            if low <= frame <= high:
                assert curve.evaluate(frame) == pytest.approx(value, abs=0 if frame in frames else 1e-5), (
                    axis,
                    frame,
                )
    assert [c.evaluate(3) for c in action_api.curves(old)] == [c.evaluate(3) for c in action_api.curves(old)]


def test_stretches_move_in_time(empty: bpy.types.Object) -> None:
    """A block that moves to another place takes its keys along, as many as it had."""
    old = animate(empty, np.random.default_rng(1), [1, 10, 20, 30])
    before = {c.array_index: [c.evaluate(f) for f in range(10, 21)] for c in curves(empty)}
    new = action_api.copy_action(old, "new")
    kept = keying.Kept(old.session_uid, "", [kept_keys.Stretch(10, 20, 15)])
    keyer = keying.Keyer(new, CHANNELS[:2], 36, 5, None, kept)
    keyer.append(np.zeros((5, 2)))
    keyer.write()
    for curve in list(action_api.curves(new))[:2]:
        assert [p.co.x for p in curve.keyframe_points] == [25, 35, 36, 37, 38, 39, 40]
        np.testing.assert_allclose(
            [curve.evaluate(f) for f in range(25, 36)], before[curve.array_index], atol=1e-6
        )
