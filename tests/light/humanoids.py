"""Humanoid rigs to test with: any proportions, numbers of bones, rest pose, bone axes and armature axes.

A body is made in a T-pose and then posed with known joint rotations into the rest pose it is to have, so each bone
knows what it would be in the T-pose: `upright` turns a bone's axes to the body's. Blender's own rule of forward
kinematics, bone by bone in 4 x 4 matrices, is the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from kmm import rotations as rot
from kmm.retarget import BoneMap, Keys, Rig
from kmm.retarget.roles import SIDES

X, Y, Z = np.eye(3)
LIMBS = ("upper_arm", "forearm", "thigh", "shin")


@dataclass
class Humanoid:
    rig: Rig
    bone_map: BoneMap
    #: bone -> rotation from the body's axes (X left, Y back, Z up) in its T-pose to the bone's at rest
    upright: dict[str, np.ndarray]
    axes: np.ndarray  #: rotation from the body's axes to the armature's


@dataclass
class Shape:
    """Bones of a body: in each chain how many, and the rest pose as joint rotations away from the T-pose."""

    seed: int = 0
    size: float = 1.0
    spine: int = 3
    neck: int = 1
    shoulders: bool = True
    fingers: bool = False
    toes: int = 1  #: side by side
    root: bool = False
    centre: bool = False
    serial: int | dict[str, int] = 1  #: bones in each half of a limb, or by part (1 where not named)
    helpers: bool = False  #: unmapped bones between the mapped ones
    twists: int | dict[str, int] = 0  #: twist bones beside each half of a limb
    arms_down: float = 0.0  #: degrees below the T-pose
    legs_apart: float = 0.0
    supinated: float = 0.0  #: degrees that the palms are turned to the front at rest
    pose: dict[str, np.ndarray] = field(
        default_factory=dict
    )  #: more joint rotations of the rest pose, by role
    axes: np.ndarray = field(default_factory=lambda: rot.IDENTITY)
    global_location: bool = False  #: bones move along the armature's axes
    plain: bool = False  #: bone axes of all bones the body's, else at random
    world: np.ndarray = field(default_factory=lambda: np.eye(4))


def humanoid(shape: Shape) -> Humanoid:
    rng = np.random.default_rng(shape.seed)
    names: list[str] = []
    parents: list[int] = []
    offsets: list[np.ndarray] = []  # in the T-pose, body's axes, from the parent
    turns: list[np.ndarray] = []  # rest pose, joint rotation
    bones: dict[str, list[str]] = {}

    def length(mean: float) -> float:
        return mean * shape.size * rng.uniform(0.85, 1.15)

    def add(
        role: str, parent: str | None, offset: np.ndarray, turn: np.ndarray | None = None, mapped: bool = True
    ) -> str:
        if shape.helpers and mapped and parent is not None:
            parent = add(role + "_helper", parent, offset / 2, mapped=False)
            offset = offset / 2
        name = f"{role}.{len(names)}"
        names.append(name)
        parents.append(names.index(parent) if parent else -1)
        offsets.append(np.asarray(offset, dtype=float))
        turns.append(rot.IDENTITY if turn is None else turn)
        if mapped:
            bones.setdefault(role, []).append(name)
        return name

    thigh, shin, ankle = length(0.42), length(0.42), length(0.09)
    spread = np.cos(np.radians(shape.legs_apart))
    hips_at = ((thigh + shin) * spread + ankle) * Z
    below = length(0.08) * Z
    over: str | None = None
    if shape.root:
        over = add("root", None, np.zeros(3))
    if shape.centre:
        centre = hips_at + below + length(0.05) * Z
        over = add("centre", over, centre)
        hips = add("hips", over, hips_at + below - centre)
    else:
        hips = add("hips", over, hips_at + below)
    top = hips
    spine = length(0.45)
    for _ in range(shape.spine):
        top = add("spine", top, spine / shape.spine * Z + rng.uniform(-0.02, 0.02) * shape.size * Y)
    chest, up = top, length(0.2)
    for _ in range(shape.neck):
        top = add("neck", top, up * Z)
        up = 0.1 / shape.neck * shape.size
    add("head", top, up * Z)

    out, arm, forearm = length(0.15), length(0.28), length(0.26)
    hip_out, foot = length(0.09), length(0.14)
    for side, s in zip(SIDES, (1.0, -1.0), strict=True):

        def posed(part: str, turn: np.ndarray, side: str = side) -> np.ndarray:
            return rot.multiply(shape.pose.get(f"{side}_{part}", rot.IDENTITY), turn)

        def limb(
            part: str, parent: str, offset: np.ndarray, along: np.ndarray, turn: np.ndarray, side: str = side
        ) -> tuple[str, np.ndarray]:
            """The last bone of half a limb, and the way from there to the next joint."""
            serial, twists = _count(shape.serial, part, 1), _count(shape.twists, part, 0)
            first = at = add(f"{side}_{part}", parent, offset, posed(part, turn))
            for _ in range(1, serial):
                at = add(f"{side}_{part}", at, along / serial)
            held = at if part in ("upper_arm", "thigh") else first
            for i in range(twists):
                begun = along * (serial - 1) / serial if held == at else 0
                add(f"{side}_{part}_twist", held, along * (i + 1) / (twists + 1) - begun)
            return at, along / serial

        down = rot.from_rotvec(np.radians(shape.arms_down) * s * Y)
        at = chest
        start = 0.15 * shape.size * Z + 0.02 * s * X
        if shape.shoulders:
            at = add(f"{side}_shoulder", at, start, shape.pose.get(f"{side}_shoulder"))
            start = out * s * X
        else:
            start = start + out * s * X
        at, rest = limb("upper_arm", at, start, arm * s * X, down)
        at, rest = limb("forearm", at, rest, forearm * s * X, rot.IDENTITY)
        supine = rot.from_rotvec(-np.radians(shape.supinated) * X)
        hand = add(f"{side}_hand", at, rest, posed("hand", supine))
        if shape.fingers:
            for i, finger in enumerate(("index", "middle", "ring", "little")):
                at = add(f"{side}_{finger}", hand, shape.size * (0.09 * s * X + (0.02 * i - 0.03) * Y))
                for _ in range(2):
                    at = add(f"{side}_{finger}", at, shape.size * 0.03 * s * X)
            at = add(f"{side}_thumb", hand, shape.size * (0.03 * s * X - 0.03 * Y))
            for _ in range(2):
                at = add(f"{side}_thumb", at, shape.size * (0.025 * s * X - 0.02 * Y))
        apart = rot.from_rotvec(-np.radians(shape.legs_apart) * s * Y)
        at, rest = limb("thigh", hips, hip_out * s * X - below, -thigh * Z, apart)
        at, rest = limb("shin", at, rest, -shin * Z, rot.IDENTITY)
        # feet are flat at rest whatever the legs do
        sole = rot.inv(rot.multiply(posed("thigh", apart), posed("shin", rot.IDENTITY)))
        at = add(f"{side}_foot", at, rest, rot.multiply(sole, shape.pose.get(f"{side}_foot", rot.IDENTITY)))
        for i in range(shape.toes):
            add(f"{side}_toe", at, -foot * Y - 0.7 * ankle * Z + 0.02 * i * s * shape.size * X)

    # the rest pose in the body's axes
    turned, heads = [], []
    for i, parent in enumerate(parents):
        turned.append(rot.multiply(turned[parent], turns[i]) if parent >= 0 else turns[i])
        heads.append(heads[parent] + rot.apply(turned[parent], offsets[i]) if parent >= 0 else offsets[i])
    rolls = rot.normalize(rng.normal(size=(len(names), 4)))
    if shape.plain:
        rolls[:] = rot.IDENTITY
    at_rest = rot.multiply(shape.axes, rot.multiply(np.array(turned), rolls))
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, :3] = rot.as_matrix(at_rest)
    rest[:, :3, 3] = rot.apply(shape.axes, np.array(heads))
    order = rng.permutation(len(names))  # parents need not come first
    back = np.argsort(order)
    rig = Rig(
        tuple(names[i] for i in order),
        tuple(int(back[parents[i]]) if parents[i] >= 0 else -1 for i in order),
        rest[order],
        local_location=(False,) * len(names) if shape.global_location else None,
        world=shape.world,
    )
    # a bone's rest orientation is T-pose orientation turned by the rest pose; undone, it is the roll alone
    return Humanoid(
        rig,
        BoneMap("test", {r: tuple(c) for r, c in bones.items()}),
        dict(zip(names, rolls, strict=True)),
        shape.axes,
    )


def _count(counts: int | dict[str, int], part: str, default: int) -> int:
    return counts.get(part, default) if isinstance(counts, dict) else counts


def renamed(body: Humanoid, names: dict[str, str]) -> Humanoid:
    """The same body with other bone names."""
    bones = {role: tuple(names[n] for n in chain) for role, chain in body.bone_map.bones.items()}
    return Humanoid(
        replace(body.rig, names=tuple(names[n] for n in body.rig.names)),
        replace(body.bone_map, bones=bones),
        {names[n]: q for n, q in body.upright.items()},
        body.axes,
    )


def rig_like(bone_map: BoneMap, **shape: Any) -> Humanoid:
    """A body with just the bones that a bone map names, by these names."""
    count = {role: len(chain) for role, chain in bone_map.bones.items()}
    body = humanoid(
        Shape(
            spine=count.get("spine", 0),
            neck=count.get("neck", 0),
            fingers="left_index" in count,
            toes=count.get("left_toe", 0),
            root="root" in count,
            centre="centre" in count,
            serial={part: count[f"left_{part}"] for part in LIMBS},
            twists={part: count.get(f"left_{part}_twist", 0) for part in LIMBS},
            **shape,
        )
    )
    names = {
        bone: name
        for role, chain in body.bone_map.bones.items()
        for bone, name in zip(chain, bone_map.bones[role], strict=True)
    }
    return renamed(body, names)


def blender_pose(rig: Rig, keys: Keys) -> np.ndarray:
    """(T, N, 4, 4) armature-space matrices of all bones, by Blender's rule."""
    frames = len(keys.rotations)
    basis = np.tile(np.eye(4), (frames, len(rig.names), 1, 1))
    for i, name in enumerate(keys.bones):
        basis[:, rig.index[name], :3, :3] = rot.as_matrix(keys.rotations[:, i])
    for i, name in enumerate(keys.located):
        basis[:, rig.index[name], :3, 3] = keys.locations[:, i]
    posed: dict[int, np.ndarray] = {}

    def pose(bone: int) -> np.ndarray:
        if bone not in posed:
            parent, local = rig.parents[bone], basis[:, bone].copy()
            if rig.local_location is not None and not rig.local_location[bone]:
                local[:, :3, 3] = 0
            if parent < 0:
                posed[bone] = rig.rest[bone] @ local
            else:
                offset = np.linalg.inv(rig.rest[parent]) @ rig.rest[bone]
                posed[bone] = pose(parent) @ offset @ local
                if not rig.turns_with_parent(bone):
                    posed[bone][:, :3, :3] = rig.rest[bone][:3, :3] @ local[:, :3, :3]
            if rig.local_location is not None and not rig.local_location[bone]:
                posed[bone][:, :3, 3] += basis[:, bone, :3, 3]
        return posed[bone]

    return np.stack([pose(bone) for bone in range(len(rig.names))], axis=1)


class View:
    """A posed humanoid as its body sees it: positions and T-pose axes of its bones, body's axes."""

    def __init__(self, body: Humanoid, keys: Keys) -> None:
        self.body = body
        self.matrices = blender_pose(body.rig, keys)

    def _bone(self, role: str, which: int) -> str:
        return self.body.bone_map.bones[role][which]

    def head(self, role: str, which: int = 0) -> np.ndarray:
        at = self.matrices[:, self.body.rig.index[self._bone(role, which)], :3, 3]
        return rot.apply(rot.inv(self.body.axes), at)

    def turn(self, role: str, which: int = 0) -> np.ndarray:
        """(T, 4) from the T-pose."""
        name = self._bone(role, which)
        at = rot.from_matrix(self.matrices[:, self.body.rig.index[name], :3, :3])
        seen = rot.multiply(rot.inv(self.body.axes), at)
        return rot.multiply(seen, rot.inv(self.body.upright[name]))

    def direction(self, role: str, to: str) -> np.ndarray:
        along = self.head(to) - self.head(role)
        return along / np.linalg.norm(along, axis=-1, keepdims=True)


def degrees(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Angles between unit vectors."""
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(u - v, axis=-1) / 2, 0, 1)))
