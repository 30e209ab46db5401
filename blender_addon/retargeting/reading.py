"""The poses that an action gives to the bones of any armature.

F-curves are read where they say it all. Where constraints, drivers, the NLA or the object's own motion have a part
in it, Blender evaluates the poses, in a scene of their own: the user's scene, its frame and its poses stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm import rotations as rot
from kmm.retarget import Rig
from kmm.retarget.rig import orientation
from kmm.retarget.rotation_modes import decode, width
from numpy.typing import NDArray

from .. import action_api
from ..bone_modes import rotation_property
from . import rigs

Array = NDArray[np.floating]
Curves = dict[tuple[str, int], bpy.types.FCurve]


def bone_path(name: str, of: str) -> str:
    """The data path of a pose bone's property."""
    return f'pose.bones["{bpy.utils.escape_identifier(name)}"].{of}'


def frame_range(obj: bpy.types.Object, action: bpy.types.Action | None = None) -> tuple[int, int]:
    """First and last frame that the action, or the object's own animation, has keys for. Raises ValueError."""
    action = action or _current(obj)
    if action is not None:
        spans = [curve.range() for curve in action_api.curves_of(action, obj)]
    else:
        tracks = obj.animation_data.nla_tracks if obj.animation_data else ()
        spans = [(s.frame_start, s.frame_end) for track in tracks if not track.mute for s in track.strips]
    if not spans:
        if action is None:
            raise ValueError(_("There is no motion on {} to retarget: it has no action").format(obj.name))
        raise ValueError(
            _("There is no motion on {} to retarget: the action {} has no keys for it").format(
                obj.name, action.name
            )
        )
    return math.floor(min(s[0] for s in spans) + 1e-4), math.ceil(max(s[1] for s in spans) - 1e-4)


def poses(
    obj: bpy.types.Object, action: bpy.types.Action | None, rig: Rig, bones: Sequence[int], frames: range
) -> tuple[Array, Array]:
    """Rotations (T, B, 4) and heads (T, B, 3) in the armature's space at the first frame: what a Retargeter takes.

    action: None for what the object has now. Raises ValueError.
    """
    chain = sorted({b for bone in bones for b in (bone, *rig.ancestors(bone))})
    used = action or _current(obj)
    if used is not None:
        curves = {(c.data_path, c.array_index): c for c in action_api.curves_of(used, obj) if not c.mute}
        if not _must_be_evaluated(obj, curves, [rig.names[b] for b in chain]):
            posed = _Basis(obj, curves, frames, as_it_is=used == _current(obj))
            names = [rig.names[b] for b in chain]
            rotations = {n: q for n in names if (q := posed.rotation(n)) is not None}
            locations = {n: v for n in names if (v := posed.location(n)) is not None}
            return rig.pose(rotations, locations, bones, len(frames))
    return _evaluated(obj, action, rig, bones, frames)


def _current(obj: bpy.types.Object) -> bpy.types.Action | None:
    """The action that alone says how the object moves."""
    animation = obj.animation_data
    if animation is None or any(not track.mute and track.strips for track in animation.nla_tracks):
        return None
    return animation.action


def _must_be_evaluated(obj: bpy.types.Object, curves: Curves, names: Sequence[str]) -> bool:
    if obj.constraints or (obj.parent is not None and obj.parent.animation_data is not None):
        return True
    whole = [
        c for (path, _), c in curves.items() if path in ("location", "scale") or path.startswith("rotation_")
    ]
    if any(np.ptp(_values(curve)) > 1e-6 for curve in whole if len(curve.keyframe_points)):
        return True
    drivers = obj.animation_data.drivers if obj.animation_data else ()
    driven = {driver.data_path for driver in drivers}
    for name in names:
        bone = obj.pose.bones[name]
        if any(not c.mute and c.influence > 0 for c in bone.constraints):
            return True
        own = bone_path(name, "")
        if any(path.startswith(own) for path in driven):
            return True
        scales = [c for i in range(3) if (c := curves.get((own + "scale", i))) is not None]
        if any(np.abs(_values(c) - 1).max(initial=0) > 1e-3 for c in scales):
            return True
    return False


class _Basis:
    """Bases of bones at some frames, by F-curves; None where a bone has nothing but its rest."""

    def __init__(self, obj: bpy.types.Object, curves: Curves, frames: range, as_it_is: bool) -> None:
        self._obj, self._curves, self._frames = obj, curves, np.array(frames, dtype=float)
        #: channels without curves keep the value that they have now
        self._as_it_is = as_it_is

    def rotation(self, name: str) -> Array | None:
        """(T, 4)"""
        mode = self._obj.pose.bones[name].rotation_mode
        values = self._property(name, rotation_property(mode), width(mode), mode == "QUATERNION")
        return None if values is None else decode(mode, values)

    def location(self, name: str) -> Array | None:
        """(T, 3)"""
        if rigs.connected(self._obj, name):
            return None
        return self._property(name, "location", 3, False)

    def _property(self, name: str, of: str, count: int, quaternion: bool) -> Array | None:
        path = bone_path(name, of)
        found = [self._curves.get((path, i)) for i in range(count)]
        rest = [float(quaternion and i == 0) for i in range(count)]
        if self._as_it_is:
            rest = list(getattr(self._obj.pose.bones[name], of))
        elif not any(found):
            return None
        if not any(found) and np.allclose(rest, [float(quaternion and i == 0) for i in range(count)]):
            return None
        columns = [
            np.full(len(self._frames), r) if curve is None else sample(curve, self._frames)
            for curve, r in zip(found, rest, strict=True)
        ]
        return np.stack(columns, axis=1)


def sample(curve: bpy.types.FCurve, frames: Array) -> Array:
    """The curve's values (T,) at frames (T,)."""
    if not any(m for m in curve.modifiers if not m.mute) and len(curve.keyframe_points):
        co = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", co)
        at, values = co[::2], co[1::2]
        place = np.minimum(np.searchsorted(at, frames), len(at) - 1)
        if np.array_equal(at[place], frames):  # a key at each frame
            return values[place].astype(float)
    return np.array([curve.evaluate(frame) for frame in frames.tolist()])


def _values(curve: bpy.types.FCurve) -> Array:
    co = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
    curve.keyframe_points.foreach_get("co", co)
    return co[1::2]


def _evaluated(
    obj: bpy.types.Object, action: bpy.types.Action | None, rig: Rig, bones: Sequence[int], frames: range
) -> tuple[Array, Array]:
    names = [rig.names[b] for b in bones]
    matrices = np.empty((len(frames), len(names), 4, 4))
    worlds = np.empty((len(frames), 4, 4))
    other = action is not None and action != _current(obj)
    worn = action_api.wearing(obj, action) if other else nullcontext()
    with _scene_of_its_own(obj) as scene, worn:
        layer = scene.view_layers[0]
        for t, frame in enumerate(frames):
            scene.frame_set(frame)
            there = obj.evaluated_get(layer.depsgraph)
            posed = there.pose.bones
            matrices[t] = [posed[name].matrix for name in names]
            worlds[t] = there.matrix_world
    if len(frames):  # where the object goes, its bones go
        matrices = (np.linalg.inv(worlds[:1]) @ worlds)[:, None] @ matrices
    shape = matrices.shape[:2]
    rotations = orientation(matrices.reshape(-1, 4, 4)).reshape(*shape, 4)
    return rot.unflip(rotations), matrices[..., :3, 3].copy()


@contextmanager
def _scene_of_its_own(obj: bpy.types.Object) -> Iterator[bpy.types.Scene]:
    """A scene in which nothing but the object, and what it depends on, is evaluated."""
    scene = bpy.data.scenes.new("KMM")
    try:
        scene.collection.objects.link(obj)
        yield scene
    finally:
        bpy.data.scenes.remove(scene)
