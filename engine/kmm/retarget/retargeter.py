"""Retargeting: the motion of one body, as keys for the bones of another.

Each target bone gets the world orientation that puts its anatomical frame (see `anatomy`) where the source's is, so
limbs point and palms face as the source's do from any rest pose; then these are written as local rotations. All
frames and bones go at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kmm import rotations as rot
from kmm.retarget import anatomy
from kmm.retarget.bone_map import BoneMap, resolve
from kmm.retarget.ends import Feet, Hands
from kmm.retarget.following import match
from kmm.retarget.posed import Keys, Posed
from kmm.retarget.rig import Rig, orientation
from kmm.rotations import Array

RootMotion = Literal["follow", "pelvis", "root", "in place"]
ROOT_MOTIONS: tuple[str, ...] = ("follow", "pelvis", "root", "in place")


@dataclass(frozen=True)
class Options:
    """What the user chooses."""

    #: Who moves over the floor. "follow": the root does as the source's root, if both have one, and the pelvis the
    #: rest. "pelvis": the pelvis does all. "root": the root has travel and heading. "in place": nobody travels.
    root_motion: RootMotion = "follow"
    #: Bend the legs so that the soles are on the floor where the source's are, at the target's size.
    feet: bool = False
    #: Bend the arms so that the hands are as near to each other and to the body as the source's.
    hands: bool = False
    #: "object": the target object carries the motion, wherever it is. "world": it happens where the source does it.
    space: Literal["object", "world"] = "object"
    #: Of the travel and the pelvis' height; None for the ratio of the leg lengths.
    scale: float | None = None
    #: Key the controls for inverse kinematics too, where the target's map has some.
    ik_controls: bool = False


class Retargeter:
    """From one body to another; both rigs are read once, then any number of chunks of frames can be turned.

    `source_bones` are the indices of the source's bones whose poses are asked for.
    """

    def __init__(
        self,
        source: Rig,
        source_map: BoneMap,
        target: Rig,
        target_map: BoneMap,
        options: Options | None = None,
    ) -> None:
        self.source, self.target = source.following(source_map.follows), target.following(target_map.follows)
        self.options = options or Options()
        self._check(self.options)
        self._from, self._to = resolve(source_map, source), resolve(target_map, target)
        if self.options.root_motion == "root" and not self._to.get("root"):
            raise ValueError(
                f'the bone map "{target_map.name}" has no root bone to extract the motion to: add one, '
                "or leave the motion to the pelvis"
            )
        self.source_bones: tuple[int, ...] = tuple(dict.fromkeys(b for c in self._from.values() for b in c))
        self._column = {bone: i for i, bone in enumerate(self.source_bones)}
        self._a, self._b = anatomy.read(source, self._from), anatomy.read(target, self._to)
        self.scale = self.options.scale or self._b.leg_length / self._a.leg_length
        self._align()
        self._plan(target_map)

    @staticmethod
    def _check(options: Options) -> None:
        if options.root_motion not in ROOT_MOTIONS:
            raise ValueError(
                f"root_motion must be one of {', '.join(ROOT_MOTIONS)}, got {options.root_motion!r}"
            )
        if options.scale is not None and not options.scale > 0:
            raise ValueError(f"scale must be positive, got {options.scale}")

    def _align(self) -> None:
        """The turn from the source's armature space to the target's, and a point of the floor in each."""
        a, b = self._a, self._b
        around_hips = np.linalg.norm(self.source.reference_heads[self._from["hips"][0]]) < 0.1 * a.leg_length
        # a source made around its hips (BVH) moves over a floor at height zero
        floor = self.source.floor if self.source.floor is not None else 0.0 if around_hips else a.floor
        self._source_floor = a.up * floor
        if self.options.space == "object":
            self._turn = rot.multiply(b.body, rot.inv(a.body))
            self._target_floor = b.up * (b.floor if self.target.floor is None else self.target.floor)
        else:
            self._turn = rot.multiply(rot.inv(orientation(self.target.world)), orientation(self.source.world))
            there = np.linalg.inv(self.target.world) @ self.source.world @ np.append(self._source_floor, 1.0)
            self._target_floor = there[:3]
        self._up = rot.apply(self._turn, a.up)

    def _plan(self, target_map: BoneMap) -> None:
        a, b = self._a, self._b
        follows, self._twists = match(self._from, self.target, self._to)
        roots = self._from.get("root"), self._to.get("root")
        self._follow_root = self.options.root_motion == "follow" and all(roots)
        self._moved_root = (
            roots[1][0] if roots[1] and (self._follow_root or self.options.root_motion == "root") else None
        )
        self._bones = [f.target for f in follows]
        self._first = [self._column[f.first] for f in follows]
        self._second = [self._column[f.second] for f in follows]
        self._weights = np.array([f.weight for f in follows])

        def offsets(leaders: list[int]) -> Array:
            """(B, 4) from the leader's orientation to the follower's, in the leader's own axes."""
            out = []
            for f, leader in zip(follows, leaders, strict=True):
                frame = rot.multiply(a.frames[leader], rot.inv(b.frames[f.target]))
                rest = rot.inv(self.source.reference_rotations[leader])
                out.append(rot.multiply(rest, rot.multiply(frame, self.target.reference_rotations[f.target])))
            return np.array(out)

        self._to_first = offsets([f.first for f in follows])
        self._to_second = offsets([f.second for f in follows])
        bodies = self.source, self._from, a, self.target, self._to, b
        self._feet, self._hands = Feet(*bodies), Hands(*bodies)
        index = self.target.index
        self._riders = {
            index[control]: self._to[role][0]
            for control, role in target_map.ik.items()
            if control in index and self._to.get(role)
        }
        self._carrier = (self._to.get("centre") or self._to["hips"])[0]

    def __call__(self, rotations: Array, heads: Array, previous: Keys | None = None) -> Keys:
        """Keys for T frames of the source's pose.

        rotations (T, S, 4) and heads (T, S, 3) of `source_bones` in the source's armature space. previous: the keys
        of the chunk before, whose signs of quaternions are carried on.
        """
        rotations, heads = np.asarray(rotations, dtype=float), np.asarray(heads, dtype=float)
        shape = (len(rotations), len(self.source_bones))
        if rotations.shape != (*shape, 4) or heads.shape != (*shape, 3):
            raise ValueError(
                f"poses of {shape[1]} source bones must be ({shape[0]}, {shape[1]}, 4) and "
                f"({shape[0]}, {shape[1]}, 3), got {rotations.shape} and {heads.shape}"
            )
        posed = Posed(self.target, shape[0], self._orient(rotations))
        shift = self._place(posed, rotations, heads)

        def seen(bone: int) -> Array:
            return self._to_target(heads[:, self._column[bone]]) + shift

        if self.options.feet:
            self._feet.plant(posed, seen, self._target_floor, self._up, self.scale)
        if self.options.hands:
            self._hands.place(posed, seen, self.scale)
        self._twist(posed)
        if self.options.ik_controls:
            self._ride(posed)
        return posed.keys(previous)

    def basis(
        self,
        rotations: Mapping[str, Array],
        locations: Mapping[str, Array],
        frames: int,
        previous: Keys | None = None,
    ) -> Keys:
        """The same from the source's local transforms by bone name, (T, 4) and (T, 3); other bones are at rest."""
        return self(*self.source.pose(rotations, locations, self.source_bones, frames), previous)

    def _orient(self, rotations: Array) -> dict[int, Array]:
        """Armature-space rotations (T, 4) of the target bones that follow a source bone."""
        turned = rot.multiply(self._turn, rot.multiply(rotations[:, self._first], self._to_first))
        between = np.flatnonzero(self._weights)
        if len(between):
            second = rotations[:, np.array(self._second)[between]]
            second = rot.multiply(self._turn, rot.multiply(second, self._to_second[between]))
            turned[:, between] = rot.slerp(turned[:, between], second, self._weights[between])
        return {bone: turned[:, i] for i, bone in enumerate(self._bones)}

    def _to_target(self, points: Array) -> Array:
        """Points (T, 3) of the source's armature space at the target's size and place."""
        return self._target_floor + self.scale * rot.apply(self._turn, points - self._source_floor)

    def _source_point(self, rotations: Array, heads: Array, bone: int, at_rest: Array) -> Array:
        """Where a point at rest is when it moves rigidly with a source bone, (T, 3)."""
        moved = rot.multiply(rotations[:, self._column[bone]], rot.inv(self.source.reference_rotations[bone]))
        return heads[:, self._column[bone]] + rot.apply(moved, at_rest - self.source.reference_heads[bone])

    def _place(self, posed: Posed, rotations: Array, heads: Array) -> Array:
        """Put the root, and the bone that carries the pelvis; what has been taken off the travel, (T, 3)."""
        rig, a, b, hips = self.target, self._a, self._b, self._to["hips"][0]
        centre = self._to_target(self._source_point(rotations, heads, self._from["hips"][0], a.hip_centre))
        up, rest = self._up, b.hip_centre
        level = centre - rest
        level = level - up * (level @ up)[:, None]
        shift = np.zeros_like(level)
        if self.options.root_motion == "in place":
            centre, shift = centre - level, -level
        elif self._moved_root is not None:
            root, head = self._moved_root, rig.reference_heads[self._moved_root]
            if self._follow_root:
                leader = self._from["root"][0]
                column = rotations[:, self._column[leader]]
                change = rot.multiply(column, rot.inv(self.source.reference_rotations[leader]))
                turn = rot.multiply(self._turn, rot.multiply(change, rot.multiply(a.body, rot.inv(b.body))))
                # where it is at rest, from where the source's would be at this size
                same = a.up * a.floor, b.up * b.floor
                seen = rot.apply(
                    rot.multiply(b.body, rot.inv(a.body)), self.source.reference_heads[leader] - same[0]
                )
                offset = head - (same[1] + self.scale * seen)
                place = self._to_target(heads[:, self._column[leader]]) + rot.apply(turn, offset)
            else:
                turn = rot.multiply(posed.rotations[hips], rot.inv(rig.reference_rotations[hips]))
                turn = rot.twist(turn, up)
                place = rest + level + rot.apply(turn, head - rest)
            posed.rotations[root] = rot.multiply(turn, rig.reference_rotations[root])
            posed.heads[root] = place
        # the carrier's head is where the pelvis, turned as it is, has its hip joints around `centre`
        posed.heads[self._carrier] = np.zeros_like(centre)
        posed.heads[self._carrier] = (
            centre - posed.head(hips) - posed.moved(hips, rest - rig.reference_heads[hips])
        )
        return shift

    def _twist(self, posed: Posed) -> None:
        rig = self.target
        for t in self._twists:
            limb = posed.change(t.limb)
            joint = self._to_joint(t.limb)
            if t.outer is not None:
                added = rot.twist(rot.multiply(rot.inv(limb), posed.change(t.outer)), joint)
                limb = rot.multiply(limb, rot.from_rotvec(rot.as_rotvec(added) * t.share))
            else:
                assert t.inner is not None
                held = posed.change(t.inner)
                turned = rot.multiply(rot.inv(held), limb)
                surplus = rot.as_rotvec(rot.twist(turned, joint)) * (t.share - 1)
                limb = rot.multiply(held, rot.multiply(turned, rot.from_rotvec(surplus)))
            posed.rotations[t.target] = rot.multiply(limb, rig.reference_rotations[t.target])

    def _ride(self, posed: Posed) -> None:
        """Controls that move with a bone of the body, as if they were fixed to it."""
        heads = self.target.reference_heads
        for control, bone in self._riders.items():
            posed.heads[control] = posed.head(bone) + posed.moved(bone, heads[control] - heads[bone])
            posed.rotations[control] = rot.multiply(
                posed.change(bone), self.target.reference_rotations[control]
            )

    def _to_joint(self, bone: int) -> Array:
        """Direction (3,) of the limb that a bone belongs to, at rest."""
        role = next(role for role, chain in self._to.items() if bone in chain)
        after = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
        side, kind = role.split("_", 1)
        start, end = self._to[role][0], self._to[f"{side}_{after[kind]}"][0]
        return anatomy.unit(self.target.reference_heads[end] - self.target.reference_heads[start])
