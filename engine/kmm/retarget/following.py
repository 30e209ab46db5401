"""Which bones of a source body each bone of a target body follows, whatever the numbers of bones in their chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kmm.retarget.anatomy import Bones
from kmm.retarget.rig import Rig
from kmm.retarget.roles import ROLES, TWISTS, part


@dataclass(frozen=True)
class Follow:
    """The target bone turns as source bone `first`, or with `weight` > 0 so far on the way from it to `second`."""

    target: int
    first: int
    second: int
    weight: float = 0.0


@dataclass(frozen=True)
class Twist:
    """The target bone swings as target bone `limb` and takes a share of a twist about the limb.

    outer None: the share of the limb's own twist against target bone `inner`. Else that share of the twist of target
    bone `outer` (a hand or foot) against the limb is added.
    """

    target: int
    limb: int
    share: float
    inner: int | None = None
    outer: int | None = None


def match(source: Bones, target_rig: Rig, target: Bones) -> tuple[list[Follow], list[Twist]]:
    """source, target: role -> bone indices. The root is left out: how it moves is the user's choice."""
    follows: list[Follow] = []
    twists: list[Twist] = []
    for role in ROLES:
        chain, kind = target.get(role, ()), part(role)
        if not chain or role == "root":
            continue
        if kind in ("spine", "neck"):
            follows += _along_spine(role, source, chain)
        elif kind in TWISTS:
            if len(source.get(role, ())) == len(chain):
                follows += _one_to_one(source[role], chain)
            else:
                twists += _beside(role, target_rig, target)
        elif kind in ("upper_arm", "thigh", "forearm", "shin"):
            found, shared = _limb(role, source, target_rig, target)
            follows, twists = follows + found, twists + shared
        elif kind == "toe" and source.get(role):  # several toes side by side move as one
            last = len(source[role]) - 1
            follows += _one_to_one([source[role][min(i, last)] for i in range(len(chain))], chain)
        else:
            leaders = source.get(role, ()) or (source["hips"] if role == "centre" else ())
            follows += _one_to_one(leaders, chain)
    following = {f.target for f in follows} | {t.target for t in twists}
    twists = [t for t in twists if {t.limb, t.inner, t.outer} - {None} <= following]
    return follows, twists


def _one_to_one(leaders: Sequence[int], chain: Sequence[int]) -> list[Follow]:
    return [Follow(bone, leader, leader) for leader, bone in zip(leaders, chain, strict=False)]


def _along_spine(role: str, source: Bones, chain: Sequence[int]) -> list[Follow]:
    """The source's chain read at even steps from its base, so that chains of any lengths bend alike."""
    base = source["spine"][-1] if role == "neck" and source.get("spine") else source["hips"][0]
    knots = [base, *source.get(role, ())]
    steps = len(chain)
    if role == "neck" and len(knots) == 1 and source.get("head"):  # a neck between chest and head
        knots, steps = [base, source["head"][0]], len(chain) + 1
    follows = []
    for i, bone in enumerate(chain):
        at = (i + 1) / steps * (len(knots) - 1)
        low = min(int(at + 1e-9), len(knots) - 1)
        high = min(low + 1, len(knots) - 1)
        follows.append(Follow(bone, knots[low], knots[high], at - low if at - low > 1e-9 else 0.0))
    return follows


def _limb(role: str, source: Bones, rig: Rig, target: Bones) -> tuple[list[Follow], list[Twist]]:
    """A limb's half made of one bone or of several in a row, of which each twists a little more."""
    leaders, chain = source.get(role, ()), target[role]
    if not leaders or len(leaders) == len(chain):
        return _one_to_one(leaders, chain), []
    upper = part(role) in ("upper_arm", "thigh")
    # the first half's last bone has all its twist; the second half's first is next to the hinge
    leader, limb = (leaders[-1], chain[-1]) if upper else (leaders[0], chain[0])
    follows = [Follow(bone, leader, leader) for bone in chain]
    twists = []
    for i, bone in enumerate(chain):
        if bone != limb:
            at = chain[i + 1] if upper else bone
            twists.append(_twist(bone, limb, role, _fraction(rig, target, role, at), target))
    return follows, [t for t in twists if t is not None]


def _beside(role: str, rig: Rig, target: Bones) -> list[Twist]:
    """Twist bones beside a limb's own bones: each takes the share of the place where it sits."""
    half = role.removesuffix("_twist")
    if not target.get(half):
        return []
    limb = target[half][-1 if part(half) in ("upper_arm", "thigh") else 0]
    found = [_twist(bone, limb, half, _fraction(rig, target, half, bone), target) for bone in target[role]]
    return [t for t in found if t is not None]


def _twist(bone: int, limb: int, half: str, share: float, target: Bones) -> Twist | None:
    side = half.removesuffix(part(half))
    if part(half) in ("forearm", "shin"):
        end = target.get(side + ("hand" if part(half) == "forearm" else "foot"))
        return Twist(bone, limb, share, outer=end[0]) if end else None
    holders = (side + "shoulder", "spine", "hips") if part(half) == "upper_arm" else ("hips",)
    holder = next(target[h][-1] for h in holders if target.get(h))
    return Twist(bone, limb, share, inner=holder)


def _fraction(rig: Rig, target: Bones, half: str, bone: int) -> float:
    """How far along the limb's half a bone begins, 0 to 1."""
    side, kind = half.removesuffix(part(half)), part(half)
    after = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}[kind]
    end = target.get(side + after)
    if not end:
        return 0.5
    heads = rig.reference_heads
    start, along = heads[target[half][0]], heads[end[0]] - heads[target[half][0]]
    return float(np.clip((heads[bone] - start) @ along / max(float(along @ along), 1e-12), 0, 1))
