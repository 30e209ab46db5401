"""The limbs of a rig that nobody has named: its plane of symmetry, and the mirrored chains that leave it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kmm.retarget.rig import Rig
from kmm.rotations import Array


@dataclass(frozen=True)
class Limb:
    """A pair of mirrored chains: bones of the longest path on the plus and the minus side, from the midline out."""

    plus: list[int]
    minus: list[int]
    holder: int


class BoneTree:
    """The rig's tree and its plane of symmetry."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.heads = rig, rig.reference_heads
        self.size = float(np.ptp(self.heads, axis=0).max()) or 1.0
        self.axis, self.symmetry = self._plane()
        self.across = self.heads[:, self.axis] - np.median(self.heads[:, self.axis])
        self.below = [self._subtree(bone) for bone in range(len(rig.names))]
        means = np.array([self.across[below].mean() for below in self.below])
        self.side = np.where(np.abs(means) < 0.02 * self.size, 0, np.sign(means)).astype(int)

    def _plane(self) -> tuple[int, float]:
        """The coordinate axis across the body, and how well the bones mirror in it, 0 to 1."""
        best: tuple[int, float, float] = (0, -np.inf, 0.0)
        for axis in range(3):
            mirrored = self.heads.copy()
            across = self.heads[:, axis] - np.median(self.heads[:, axis])
            mirrored[:, axis] -= 2 * across
            off = np.linalg.norm(mirrored[:, None] - self.heads[None], axis=-1).min(1).mean() / self.size
            value = np.abs(across).mean() / self.size - 4 * off
            if value > best[1]:
                best = axis, value, float(np.clip(1 - 20 * off, 0, 1))
        return best[0], best[2]

    def _subtree(self, bone: int) -> list[int]:
        found = [bone]
        for each in found:
            found.extend(self.rig.children[each])
        return found

    def longest(self, bone: int) -> list[int]:
        """Bones of the longest way from a bone to a leaf."""
        ways = [self.longest(child) for child in self.rig.children[bone]]
        return [bone, *max(ways, key=lambda way: self.length([bone, *way]), default=[])]

    def ways(self, bone: int) -> list[list[int]]:
        """The chains from a bone to the leaves, without what several of them share (a palm)."""
        below = self.rig.children[bone]
        if len(below) > 1:
            return [way for child in below for way in self.ways(child)]
        return [[bone, *way] for way in self.ways(below[0])] if below else [[bone]]

    def length(self, way: list[int]) -> float:
        return float(np.linalg.norm(np.diff(self.heads[way], axis=0), axis=-1).sum())

    def limbs(self) -> list[Limb]:
        """Mirrored chains that leave the midline, the longest first."""
        roots = [b for b in range(len(self.side)) if self.side[b] and not self._parent_side(b)]
        found = []
        for plus in (b for b in roots if self.side[b] > 0):
            way = self.longest(plus)
            best, least = -1, 0.05 * self.size
            for minus in (b for b in roots if self.side[b] < 0):
                other = self.longest(minus)
                ends = (
                    self._mirrored(way[-1]) - self.heads[other[-1]],
                    self._mirrored(plus) - self.heads[minus],
                )
                off = float(np.linalg.norm(ends, axis=-1).max())
                if off < least:
                    best, least = minus, off
            if best >= 0:
                found.append(Limb(way, self.longest(best), self.rig.parents[plus]))
        return sorted(found, key=lambda limb: -self.length(limb.plus))

    def _parent_side(self, bone: int) -> int:
        parent = self.rig.parents[bone]
        return int(self.side[parent]) if parent >= 0 else 0

    def _mirrored(self, bone: int) -> Array:
        at: Array = self.heads[bone].copy()
        at[self.axis] -= 2 * self.across[bone]
        return at

    def legs_and_arms(self) -> tuple[Limb, Limb, float] | None:
        """The two limbs that are most like legs and arms, and how much, 0 to 1."""
        limbs = [limb for limb in self.limbs()[:8] if limb.holder >= 0 and len(limb.plus) >= 3]
        best: tuple[Limb, Limb, float] | None = None
        for legs in limbs:
            for arms in limbs:
                if legs is not arms:
                    like = self._likeness(legs, arms)
                    if like > (best[2] if best else 0.1):
                        best = legs, arms, like
        return best

    def _likeness(self, legs: Limb, arms: Limb) -> float:
        up = self.up(legs, arms)
        torso = float((self.middle(arms) - self.middle(legs)) @ up)
        if torso < 0.05 * self.size:
            return 0.0
        way = self.heads[legs.plus]
        length, reach = self.length(legs.plus), self.length(arms.plus)
        down = float(np.max((way[0] - way) @ up)) / length
        # a leg is about 1.7 torsos long, an arm with its hand 1.2
        return float(
            np.clip(down / 0.75, 0, 1)
            * np.exp(-(np.log(length / torso / 1.8) ** 2) / 0.7)
            * np.exp(-(np.log(reach / torso / 1.4) ** 2) / 0.7)
        )

    def middle(self, limb: Limb) -> Array:
        """Between the two sides' first bones that are off the midline."""
        pair = [
            next((b for b in way if abs(self.across[b]) > 0.02 * self.size), way[0])
            for way in (limb.plus, limb.minus)
        ]
        return np.asarray(self.heads[pair].mean(0))

    def up(self, legs: Limb, arms: Limb) -> Array:
        """The coordinate axis that leads from the legs to the arms."""
        way = self.middle(arms) - self.middle(legs)
        way[self.axis] = 0
        up = np.zeros(3)
        i = int(np.argmax(np.abs(way)))
        up[i] = np.sign(way[i])
        return up
