"""A bone map for a rig that no map knows, guessed from how its bones hang together and where they are.

A body is symmetric, two pairs of long chains leave its midline, one of them down and straight (legs), and the feet
point to the front. What the bones are called is only asked for the sides, where no foot shows the front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kmm.retarget.anatomy import unit
from kmm.retarget.bone_map import BoneMap
from kmm.retarget.limbs import BoneTree, Limb
from kmm.retarget.names import side_of
from kmm.retarget.rig import Rig
from kmm.retarget.roles import FINGERS, ROLES
from kmm.rotations import Array

#: Height of the head's joint over the hip joints, in heights of the shoulders over them (human proportions).
HEAD_HEIGHT = 1.27


@dataclass(frozen=True)
class Guess:
    """confidence: 0 to 1. notes: what was uncertain, in sentences for people."""

    bone_map: BoneMap
    confidence: float
    notes: tuple[str, ...]


def guess(rig: Rig) -> Guess | None:
    """None if the rig does not look like a body with two legs and two arms at all. Give it deforming bones only."""
    if len(rig.names) < 8:
        return None
    body = BoneTree(rig)
    pair = body.legs_and_arms()
    if pair is None:
        return None
    return _Reading(body, *pair).guess()


class _Reading:
    """The roles of the bones, once legs and arms are known."""

    def __init__(self, body: BoneTree, legs: Limb, arms: Limb, likeness: float) -> None:
        self.body, self.legs, self.arms, self.likeness = body, legs, arms, likeness
        self.up = body.up(legs, arms)
        self.bones: dict[str, list[int]] = {}
        self.notes: list[str] = []

    def guess(self) -> Guess:
        sure = self.likeness**0.5 * (0.5 + 0.5 * self.body.symmetry)
        for way, side in ((self.legs.plus, "plus"), (self.legs.minus, "minus")):
            self._leg(way, side)
        self.ahead = self._ahead()
        for way, side in ((self.arms.plus, "plus"), (self.arms.minus, "minus")):
            self._arm(way, side)
        self._trunk()
        if "head" not in self.bones:
            self.notes.append("No bone is where a head should be.")
            sure *= 0.8
        left, certain = self._left()
        bones = self._named(left)
        if self.body.symmetry < 0.8:
            self.notes.append("The left and right bones are not quite mirror images of one another.")
        return Guess(BoneMap("guessed", bones), float(np.clip(sure * certain, 0, 1)), tuple(self.notes))

    def _named(self, left: str) -> dict[str, tuple[str, ...]]:
        words = {left: "left", "minus" if left == "plus" else "plus": "right"}
        found = {}
        for role, chain in self.bones.items():
            for word, side in words.items():
                if role.startswith(word + "_"):
                    role = side + role.removeprefix(word)
                    break
            found[role] = tuple(self.body.rig.names[b] for b in chain)
        return {role: found[role] for role in ROLES if found.get(role)}

    def _halves(self, way: list[int], last: int) -> tuple[int, int, int]:
        """Indices in a way of a limb's three joints: two straight halves of like lengths, as long as can be.

        last: the index of the third where it is known, else -1.
        """
        at = self.body.heads[way]
        best, found = -1.0, (0, 1, min(2, len(way) - 1))
        spare = 0.97 if last >= 0 else 0.85  # with the end unknown, two bones are likelier than four
        for i in range(len(way) - 2):
            for j in range(i + 1, len(way) - 1):
                for k in range(j + 1, len(way)):
                    if last >= 0 and k != last:
                        continue
                    a, b = (float(np.linalg.norm(at[y] - at[x])) for x, y in ((i, j), (j, k)))
                    along = self.body.length(way[i : j + 1]), self.body.length(way[j : k + 1])
                    if min(a, b) < 1e-9:
                        continue
                    straight = (a / along[0]) ** 8 * (b / along[1]) ** 8
                    value = (a + b) * straight * np.exp(-(np.log(a / b) ** 2) / 0.2) * spare ** (k - i - 2)
                    if value > best:
                        best, found = value, (i, j, k)
        return found

    def _leg(self, way: list[int], side: str) -> None:
        steps = unit(np.diff(self.body.heads[way], axis=0))
        # the ankle is where the way turns from downwards to the front
        ankles = [
            i for i in range(2, len(steps)) if steps[i] @ steps[i - 1] < 0.8 and -steps[i - 1] @ self.up > 0.8
        ]
        i, j, k = self._halves(way, ankles[0] if ankles else -1)
        self.bones[f"{side}_thigh"], self.bones[f"{side}_shin"] = way[i:j], way[j:k]
        self.bones[f"{side}_foot"] = [way[k]]
        ankle, shin = self.body.heads[way[k]], self.body.length(way[j : k + 1])
        for bone in way[k + 1 :]:
            ahead = self.body.heads[bone] - ankle
            if np.linalg.norm(ahead - self.up * (ahead @ self.up)) > 0.1 * shin:
                self.bones[f"{side}_toe"] = [bone]
                return

    def _arm(self, way: list[int], side: str) -> None:
        branches = [len(self.body.rig.children[b]) for b in way]
        hand = next((i for i, n in enumerate(branches) if i > 1 and n >= 3), -1)
        i, j, k = self._halves(way, hand)
        self.bones[f"{side}_upper_arm"], self.bones[f"{side}_forearm"] = way[i:j], way[j:k]
        self.bones[f"{side}_hand"] = [way[k]]
        if i > 0:
            self.bones[f"{side}_shoulder"] = [way[i - 1]]
        self._fingers(side, way[k])

    def _fingers(self, side: str, hand: int) -> None:
        heads = self.body.heads
        chains = [way for c in self.body.rig.children[hand] for way in self.body.ways(c) if len(way) >= 2]
        if not 2 <= len(chains) <= 5:
            return
        tips = unit(np.array([heads[way[-1]] - heads[way[0]] for way in chains]))
        main = unit(np.median(tips, axis=0))
        apart = np.degrees(np.arccos(np.clip(tips @ main, -1, 1)))
        first = [self._knuckle(way, hand) for way in chains]
        knuckles = heads[[chain[0] for chain in first]]
        order = list(range(len(chains)))
        # a thumb points elsewhere than the fingers, and begins nearer to the wrist
        along = (knuckles - heads[hand]) @ main
        like_thumb = apart / 25 + (1 - along / np.median(along)) / 0.4
        if like_thumb.max() > 1:
            thumb = int(np.argmax(like_thumb))
            self.bones[f"{side}_thumb"] = chains[thumb][:3]
            away = np.linalg.norm(knuckles - heads[chains[thumb][1]], axis=-1)
            order.remove(thumb)
        elif np.linalg.norm(self.ahead) > 0:  # no thumb: palms down or to the thighs, the index is in front
            away = -knuckles @ self.ahead
        else:
            return
        order.sort(key=lambda i: float(away[i]))
        for i, finger in zip(order, FINGERS[1:], strict=False):
            self.bones[f"{side}_{finger}"] = first[i]

    def _knuckle(self, way: list[int], hand: int) -> list[int]:
        """The finger without a bone of the palm, which begins much nearer to the wrist than it ends."""
        away = np.linalg.norm(self.body.heads[way] - self.body.heads[hand], axis=-1)
        start = 1 if len(way) >= 4 and away[0] < 0.5 * away[1] else 0
        return way[start : start + 3]

    def _trunk(self) -> None:
        rig, heads = self.body.rig, self.body.heads
        legs, chest = self.legs.holder, self.arms.holder
        below, above = [legs, *rig.ancestors(legs)], [chest, *rig.ancestors(chest)]
        shared = next((b for b in above if b in below), legs)
        self.bones["hips"] = [legs]
        if shared != legs:
            self.bones["centre"] = [shared]
        self.bones["spine"] = [
            b for b in reversed(above[: above.index(shared)] if shared in above else above)
        ]
        low, high = (float(heads[self.bones[f"plus_{part}"][0]] @ self.up) for part in ("thigh", "upper_arm"))
        tops = [c for c in rig.children[chest] if not self.body.side[c]]
        ways = [self.body.longest(c) for c in tops]
        way = max(ways, key=lambda w: float(np.max(heads[w] @ self.up)), default=[])
        heights = [(float(heads[b] @ self.up) - low) / (high - low) for b in way]
        near = [i for i, h in enumerate(heights) if 1.0 < h < 1.7]
        if near:
            head = min(near, key=lambda i: abs(heights[i] - HEAD_HEIGHT))
            self.bones["head"], self.bones["neck"] = [way[head]], way[:head]
        top = rig.ancestors(shared)
        floor = min(float(heads[b] @ self.up) for b in self.legs.plus)
        if top and float(heads[top[-1]] @ self.up) < floor + 0.25 * (low - floor):
            self.bones["root"] = [top[-1]]

    def _ahead(self) -> Array:
        """Where the feet point, level and along the plane of symmetry; zero if they do not show."""
        heads = self.body.heads
        ahead = np.zeros(3)
        for side in ("plus", "minus"):
            if f"{side}_toe" in self.bones:
                ahead += heads[self.bones[f"{side}_toe"][0]] - heads[self.bones[f"{side}_foot"][0]]
        ahead -= self.up * (ahead @ self.up)
        ahead[self.body.axis] = 0
        return ahead

    def _left(self) -> tuple[str, float]:
        """The side that is the body's left, and how certain that is."""
        votes = 0
        for way, word in ((self.legs.plus, "left"), (self.arms.plus, "left")):
            for bone in way:
                said = side_of(self.body.rig.names[bone])
                votes += (said == word) - (said == "right")
        if np.linalg.norm(self.ahead) > 0:
            left = float(np.cross(self.up, self.ahead)[self.body.axis])
            if votes and np.sign(votes) != np.sign(left):
                self.notes.append(
                    "The bones' names have left and right the other way round than the feet show."
                )
                return ("plus" if left > 0 else "minus"), 0.7
            return ("plus" if left > 0 else "minus"), 1.0
        if votes:
            return ("plus" if votes > 0 else "minus"), 0.9
        self.notes.append("Nothing shows the front, so left and right may be swapped.")
        front = np.array([0.0, -1.0, 0.0]) if abs(self.up[2]) else np.array([0.0, 0.0, 1.0])
        return ("plus" if np.cross(self.up, front)[self.body.axis] > 0 else "minus"), 0.5
