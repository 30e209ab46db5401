"""Armatures as kmm's rigs, and which of their bones is which part of a body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm.retarget import BoneMap, Rig
from kmm.retarget.guess import guess
from kmm.retarget.matching import best

#: Below this confidence a guess is not used unasked.
CONFIDENT = 0.5


def read(obj: bpy.types.Object) -> Rig:
    """How the armature's bones rest; neither its pose nor its action matter."""
    bones = obj.data.bones
    index = {bone.name: i for i, bone in enumerate(bones)}
    return Rig(
        tuple(index),
        tuple(index[bone.parent.name] if bone.parent else -1 for bone in bones),
        np.array([bone.matrix_local for bone in bones], dtype=float).reshape(-1, 4, 4),
        tuple(bone.use_local_location for bone in bones),
        tuple(bone.use_inherit_rotation for bone in bones),
        world=np.array(obj.matrix_world, dtype=float),
    )


#: Constraints that may be there without undoing what is keyed.
HARMLESS = {
    "LIMIT_ROTATION",
    "LIMIT_LOCATION",
    "LIMIT_SCALE",
    "LIMIT_DISTANCE",
    "MAINTAIN_VOLUME",
    "COPY_SCALE",
}


def obstacles(obj: bpy.types.Object, bone_map: BoneMap) -> list[str]:
    """What in the armature would keep keys on the mapped bones from showing, in sentences for people."""
    found = []
    mapped = [name for name in bone_map.names if name in obj.pose.bones]
    for name in mapped:
        moved_by = [c.name for c in obj.pose.bones[name].constraints if not _harmless(c)]
        if moved_by:
            found.append(f'"{name}" is moved by its constraint {moved_by[0]}, so keys on it may not show.')
    carrier = next((c[0] for r in ("centre", "hips") if (c := bone_map.bones.get(r))), "")
    if carrier in mapped and connected(obj, carrier):
        found.append(
            f'"{carrier}" is connected to its parent, so Blender cannot move it: disconnect it, or name the bone '
            "above it as centre."
        )
    return found


def connected(obj: bpy.types.Object, name: str) -> bool:
    """Whether Blender keeps the bone at its parent's tail whatever location it has."""
    bone = obj.data.bones[name]
    return bone.use_connect and bone.parent is not None


def _harmless(constraint: bpy.types.Constraint) -> bool:
    return constraint.mute or constraint.influence == 0 or constraint.type in HARMLESS


@dataclass(frozen=True)
class Chosen:
    """A bone map that was chosen for a rig. confidence: 0 to 1. by: "names" or "shape"."""

    bone_map: BoneMap
    confidence: float
    by: str


def choose(rig: Rig, own: Iterable[BoneMap] = (), moves: bool = False) -> Chosen | None:
    """The map that fits the bones' names, else what the rig's shape shows; None if it is no humanoid's.

    own: maps that go before the built-in ones. moves: the rig is to be read, not written, so bones that show the
    motion are better than controls that may or may not make it.
    """
    match = best(rig.names, own, controls=not moves) or best(rig.names, own)
    if match is not None:
        return Chosen(match.bone_map, match.score, "names")
    guessed = guess(rig)
    return None if guessed is None else Chosen(guessed.bone_map, guessed.confidence, "shape")


def bone_map(obj: bpy.types.Object, rig: Rig, own: Iterable[BoneMap] = (), moves: bool = False) -> BoneMap:
    """The map to use unasked; ValueError if there is none that is to be trusted."""
    chosen = choose(rig, own, moves)
    if chosen is None or chosen.confidence < CONFIDENT:
        raise ValueError(
            _(
                "The bones of {} are not known for those of a humanoid; choose or make a bone map for it"
            ).format(obj.name)
        )
    return chosen.bone_map
