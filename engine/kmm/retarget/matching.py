"""Which bone map fits a rig, by its bones' names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kmm.retarget.bone_map import BoneMap, built_in
from kmm.retarget.names import Lookup, other_side
from kmm.retarget.roles import ARM, LEG, REQUIRED, ROLES, SIDES, opposite

#: What a map must find to fit: how much of this it finds is its score.
BODY: tuple[str, ...] = ("hips", "spine", "neck", "head", *(f"{s}_{p}" for s in SIDES for p in ARM + LEG))

#: Below this score a map is not for the rig.
FITS = 0.6


@dataclass(frozen=True)
class Match:
    """A bone map with the names that the rig itself has for the bones. score: 0 to 1, how much of a body it found."""

    bone_map: BoneMap
    score: float


def fit(bone_map: BoneMap, names: Iterable[str] | Lookup) -> Match:
    """The map's bones among the rig's, tolerant of namespaces, prefixes, capitals and spellings of the sides."""
    lookup = names if isinstance(names, Lookup) else Lookup(names)
    found: dict[str, tuple[str, ...]] = {}
    sure: dict[str, float] = {}
    real: dict[str, str] = {}
    used: set[str] = set()
    for role, chain in bone_map.bones.items():
        hits = []
        for name in chain:
            bone, certainty = lookup.find(name)
            if bone and bone not in used:
                used.add(bone)
                hits.append((bone, certainty))
                real[name] = bone
        if hits:
            found[role] = tuple(bone for bone, _ in hits)
            sure[role] = sum(c for _, c in hits) / len(hits)
    score = sum(sure.get(role, 0.0) for role in BODY) / len(BODY)
    if any(role not in found for role in REQUIRED):
        score = 0.0

    def name_of(name: str) -> str:
        return real.get(name) or lookup.find(name)[0]

    follows = {name_of(bone): name_of(parent) for bone, parent in bone_map.follows.items()}
    ik = {name_of(control): role for control, role in bone_map.ik.items()}
    properties = {name_of(bone): values for bone, values in bone_map.properties.items()}
    return Match(
        replace(
            bone_map,
            bones=found,
            follows={bone: parent for bone, parent in follows.items() if bone and parent},
            ik={control: role for control, role in ik.items() if control},
            properties={bone: values for bone, values in properties.items() if bone},
        ),
        score,
    )


def best(names: Iterable[str], maps: Iterable[BoneMap] = (), controls: bool = True) -> Match | None:
    """The fitting map among these and the built-in ones, None if there is none. `maps`, a user's own, go first.

    controls: also maps of control rigs, which are for writing motion; it is read off the bones that they move.
    """
    lookup = Lookup(names)
    ranked = []
    for own, candidates in ((1, maps), (0, built_in())):
        for bone_map in candidates:
            if bone_map.properties and not controls:
                continue
            match = fit(bone_map, lookup)
            if match.score >= FITS:
                # of maps that find as much of a body, the one whose own bones are all there
                count = len(match.bone_map.names)
                spare = len(bone_map.names) - count
                ranked.append(
                    ((round(match.score, 1), own, bone_map.prefer, count - spare / 2, match.score), match)
                )
    return max(ranked, key=lambda r: r[0])[1] if ranked else None


def mirrored(bone_map: BoneMap, names: Iterable[str], side: str = "left") -> BoneMap:
    """The map with what `side` has filled in on the other side, where the rig has bones of the mirrored names."""
    known = frozenset(names)
    bones = dict(bone_map.bones)
    for role, chain in bone_map.bones.items():
        if role.startswith(side + "_"):
            other = tuple(o for name in chain if (o := other_side(name)) is not None and o in known)
            if len(other) == len(chain):
                bones[opposite(role)] = other
    return replace(bone_map, bones={role: bones[role] for role in ROLES if role in bones})
