"""A pose of some bones of a rig in armature space, being built up, and what it is in local transforms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kmm import rotations as rot
from kmm.retarget.rig import Rig
from kmm.rotations import Array


@dataclass(frozen=True)
class Keys:
    """Local transforms of T frames: basis rotations (T, B, 4) of `bones`, basis locations (T, L, 3) of `located`."""

    bones: tuple[str, ...]
    rotations: Array
    located: tuple[str, ...]
    locations: Array

    def __len__(self) -> int:
        return len(self.rotations)


class Posed:
    """T frames: `rotations` of the bones that are turned (T, 4), `heads` of those that are moved too (T, 3).

    All other bones are at rest and follow their parents.
    """

    def __init__(self, rig: Rig, frames: int, rotations: dict[int, Array]) -> None:
        self.rig, self.frames, self.rotations = rig, frames, rotations
        self.heads: dict[int, Array] = {}

    def change(self, bone: int) -> Array:
        """(T, 4) the turn of a bone away from the reference pose, in armature axes."""
        return rot.multiply(self.rotations[bone], rot.inv(self.rig.reference_rotations[bone]))

    def moved(self, bone: int, v: Array) -> Array:
        """(T, 3) a vector of the reference pose that turns with the bone."""
        return rot.apply(self.change(bone), v)

    def holder(self, bone: int) -> int | None:
        """The nearest ancestor that is not at rest."""
        return next((a for a in self.rig.ancestors(bone) if a in self.rotations), None)

    def head(self, bone: int) -> Array:
        """(T, 3) where the bone begins."""
        return self.heads[bone] if bone in self.heads else self.carried(bone)

    def carried(self, bone: int) -> Array:
        """(T, 3) where the bone would begin if it were not moved itself."""
        holder, rest = self.holder(bone), self.rig.rest_heads
        if holder is None:
            return np.broadcast_to(rest[bone], (self.frames, 3))
        turn = rot.multiply(self.rotations[holder], rot.inv(self.rig.rest_rotations[holder]))
        return self.head(holder) + rot.apply(turn, rest[bone] - rest[holder])

    def keys(self, previous: Keys | None = None) -> Keys:
        """As local transforms; quaternions keep the sign of the frame before, or of `previous`' last."""
        rig, bones = self.rig, sorted(self.rotations)
        names = tuple(rig.names[b] for b in bones)
        world = np.stack([self.rotations[b] for b in bones], axis=1)
        column = {bone: i for i, bone in enumerate(bones)}
        holders = [self.holder(b) if rig.turns_with_parent(b) else None for b in bones]
        # what a bone's rest is seen from its holder's, and the holders' own poses (at rest: the identity)
        rest = np.array([rot.IDENTITY if h is None else rig.rest_rotations[h] for h in holders])
        seen = rot.multiply(rot.inv(rig.rest_rotations[bones]), rest)
        held = world[:, [0 if h is None else column[h] for h in holders]].copy()
        held[:, [h is None for h in holders]] = rot.IDENTITY
        local = rot.normalize(rot.multiply(seen, rot.multiply(rot.inv(held), world)))
        if previous is not None and len(previous) and previous.bones == names:
            local = rot.unflip(np.concatenate([previous.rotations[-1:], local]))[1:]
        elif len(local):
            local[0] *= np.where(local[0, :, :1] < 0, -1.0, 1.0)
            local = rot.unflip(local)
        located = sorted(self.heads)
        locations = [self._location(b) for b in located]
        return Keys(
            names,
            local,
            tuple(rig.names[b] for b in located),
            np.stack(locations, axis=1) if locations else np.zeros((self.frames, 0, 3)),
        )

    def _location(self, bone: int) -> Array:
        offset = self.heads[bone] - self.carried(bone)
        if not self.rig.moves_locally(bone):
            return offset
        axes, holder = self.rig.rest_rotations[bone], self.holder(bone)
        if holder is not None:
            turn = rot.multiply(self.rotations[holder], rot.inv(self.rig.rest_rotations[holder]))
            axes = rot.multiply(turn, axes)
        return rot.apply(rot.inv(axes), offset)
