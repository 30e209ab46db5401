"""Rig: a skeleton of any program in numpy, and its forward kinematics.

A bone's matrices are Blender's: `rest` is Bone.matrix_local, a pose's basis turns and moves the bone in its own rest
axes, and posed = posed parent @ inverse(rest parent) @ rest @ basis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kmm import rotations as rot
from kmm.rotations import Array


@dataclass(frozen=True)
class Rig:
    """N bones and how they rest."""

    #: (N) unique
    names: tuple[str, ...]
    #: (N) index of the bone that each bone follows rigidly, -1 for none
    parents: tuple[int, ...]
    #: (N, 4, 4) matrices in armature space
    rest: Array
    #: (N) Bone.use_local_location: where false, a pose moves the bone along the armature's axes, not its own;
    #: None for all true
    local_location: tuple[bool, ...] | None = None
    #: (N) Bone.use_inherit_rotation: where false, a bone does not turn with its parent; None for all true
    inherits_rotation: tuple[bool, ...] | None = None
    #: (4, 4) the armature object's matrix
    world: Array = field(default_factory=lambda: np.eye(4))
    #: Height of the floor along the body's up axis in armature space; None to read it off the rest pose.
    floor: float | None = None
    #: (N, 4, 4) a pose in which the body stands upright, where the rest pose is too unlike one
    reference: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(set(self.names)) != n:
            raise ValueError("bone names must be unique")
        if len(self.parents) != n or np.shape(self.rest) != (n, 4, 4):
            raise ValueError(
                f"{n} bones need {n} parents and rest matrices ({n}, 4, 4), "
                f"got {len(self.parents)} and {np.shape(self.rest)}"
            )
        for flags in ("local_location", "inherits_rotation"):
            values = getattr(self, flags)
            if values is not None and len(values) != n:
                raise ValueError(f"{flags} must have {n} values, got {len(values)}")
        if self.reference is not None and np.shape(self.reference) != (n, 4, 4):
            raise ValueError(f"the reference pose must be ({n}, 4, 4), got {np.shape(self.reference)}")
        for bone in range(n):
            steps, at = 0, self.parents[bone]
            while at >= 0:
                steps, at = steps + 1, self.parents[at]
                if steps > n:
                    raise ValueError(f"the parents of bone {self.names[bone]!r} go round in a circle")

    def following(self, followed: Mapping[str, str]) -> Rig:
        """The same bones where some follow another bone than their parent, by name; unknown names are passed over."""
        parents = list(self.parents)
        for bone, parent in followed.items():
            if bone in self.index and parent in self.index:
                parents[self.index[bone]] = self.index[parent]
        return replace(self, parents=tuple(parents))

    @cached_property
    def index(self) -> dict[str, int]:
        """Bone name -> index."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def rest_rotations(self) -> Array:
        """(N, 4)"""
        return orientation(self.rest)

    @cached_property
    def rest_heads(self) -> Array:
        """(N, 3)"""
        return np.asarray(self.rest, dtype=float)[:, :3, 3]

    @cached_property
    def reference_rotations(self) -> Array:
        """(N, 4) of the pose in which the anatomy is read."""
        return self.rest_rotations if self.reference is None else orientation(self.reference)

    @cached_property
    def reference_heads(self) -> Array:
        """(N, 3) of the pose in which the anatomy is read."""
        return self.rest_heads if self.reference is None else np.asarray(self.reference, float)[:, :3, 3]

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each bone, the bones whose parent it is."""
        found: list[list[int]] = [[] for _ in self.names]
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                found[parent].append(bone)
        return tuple(tuple(c) for c in found)

    def moves_locally(self, bone: int) -> bool:
        """Whether the bone's location is along its own axes."""
        return self.local_location is None or self.local_location[bone]

    def turns_with_parent(self, bone: int) -> bool:
        """Whether the bone inherits its parent's rotation."""
        return self.inherits_rotation is None or self.inherits_rotation[bone]

    def ancestors(self, bone: int) -> list[int]:
        """From the parent up to the root."""
        found = []
        while (bone := self.parents[bone]) >= 0:
            found.append(bone)
        return found

    def pose(
        self,
        rotations: Mapping[str, Array],
        locations: Mapping[str, Array],
        bones: Sequence[int],
        frames: int,
    ) -> tuple[Array, Array]:
        """Armature-space rotations (T, B, 4) and heads (T, B, 3) of some bones, by forward kinematics.

        rotations, locations: for each animated bone its basis (T, 4) and (T, 3); other bones are at rest. Bones that
        neither are asked for nor carry one that is cost nothing.
        """
        turned: dict[int, Array] = {}
        placed: dict[int, Array] = {}

        def visit(bone: int) -> None:
            name, parent = self.names[bone], self.parents[bone]
            offset, turn = self.rest_heads[bone], self.rest_rotations[bone]
            local = self.moves_locally(bone)
            if name in locations and local:
                offset = offset + rot.apply(turn, np.asarray(locations[name], dtype=float))
            if name in rotations:
                turn = rot.multiply(turn, np.asarray(rotations[name], dtype=float))
            if parent >= 0:
                moved = rot.multiply(turned[parent], rot.inv(self.rest_rotations[parent]))
                offset = placed[parent] + rot.apply(moved, offset - self.rest_heads[parent])
                turn = rot.multiply(moved, turn) if self.turns_with_parent(bone) else turn
            if name in locations and not local:
                offset = offset + np.asarray(locations[name], dtype=float)
            turned[bone], placed[bone] = turn, offset

        for bone in bones:
            for each in (*reversed(self.ancestors(bone)), bone):
                if each not in turned:
                    visit(each)
        shape = (frames, len(bones))
        out_turned, out_placed = np.empty((*shape, 4)), np.empty((*shape, 3))
        for i, bone in enumerate(bones):
            out_turned[:, i], out_placed[:, i] = turned[bone], placed[bone]
        return out_turned, out_placed


def orientation(matrices: Array) -> Array:
    """(..., 4) rotations of matrices (..., 4, 4) or (..., 3, 3), the nearest ones if these also scale or shear."""
    u, _, v = np.linalg.svd(np.asarray(matrices, dtype=float)[..., :3, :3])
    nearest = u @ v
    # a mirrored object has no rotation near it: take the one that differs in the least stretched axis
    u[..., :, 2] *= np.where(np.linalg.det(nearest) < 0, -1.0, 1.0)[..., None]
    return rot.from_matrix(u @ v)
