"""What is wrong with a bone map on a rig, in sentences for the person who has to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kmm.retarget import anatomy
from kmm.retarget.bone_map import BoneMap
from kmm.retarget.names import side_of
from kmm.retarget.rig import Rig
from kmm.retarget.roles import ARM, LEG, REQUIRED, SIDES


def problems(bone_map: BoneMap, rig: Rig, read_only: bool = False) -> list[str]:
    """Empty if there is nothing to mend. Parts of a body that the map leaves out are not problems.

    read_only: motion is only read off the bones, so it does not matter which hangs from which.
    """
    rig = rig.following(bone_map.follows)
    found = [
        f'There is no bone "{name}" in the rig, which the map names as {said(role)}.'
        for role, chain in bone_map.bones.items()
        for name in chain
        if name not in rig.index
    ]
    bones = {
        role: [rig.index[name] for name in chain if name in rig.index]
        for role, chain in bone_map.bones.items()
    }
    bones = {role: chain for role, chain in bones.items() if chain}
    missing = [said(role) for role in REQUIRED if role not in bones]
    if missing:
        found.append(f"The map needs a bone for {_list(missing)}.")
    found += _used_twice(rig, bones)
    found += [] if read_only else _broken_chains(rig, bones)
    found += _wrong_side_names(rig, bones)
    if not missing:
        found += [] if read_only else _trunk(rig, bones)
        found += _swapped(rig, bones)
    return found


def said(role: str) -> str:
    """ "left_upper_arm" -> "left upper arm"."""
    return role.replace("_", " ")


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _used_twice(rig: Rig, bones: dict[str, list[int]]) -> list[str]:
    uses: dict[int, list[str]] = {}
    for role, chain in bones.items():
        for bone in chain:
            uses.setdefault(bone, []).append(said(role))
    return [
        f'"{rig.names[bone]}" is named as {_list(roles)}: a bone can be only one of them.'
        for bone, roles in uses.items()
        if len(roles) > 1
    ]


def _broken_chains(rig: Rig, bones: dict[str, list[int]]) -> list[str]:
    found = []
    for side in SIDES:
        for parts in (ARM, LEG):
            mapped = [f"{side}_{part}" for part in parts if f"{side}_{part}" in bones]
            for upper, lower in pairwise(mapped):
                a, b = bones[upper][0], bones[lower][0]
                if a not in rig.ancestors(b) and a != b:
                    found.append(
                        f'"{rig.names[b]}" ({said(lower)}) does not hang from "{rig.names[a]}" ({said(upper)}): '
                        "one of them is the wrong bone."
                    )
    for role, chain in bones.items():
        for first, second in pairwise(chain):
            if second in rig.ancestors(first):
                found.append(
                    f'The bones of {said(role)} are in the wrong order: "{rig.names[first]}" hangs from '
                    f'"{rig.names[second]}", so it comes after it.'
                )
    return found


def _wrong_side_names(rig: Rig, bones: dict[str, list[int]]) -> list[str]:
    return [
        f'"{rig.names[bone]}" is named as {said(role)}, though its name says {side_of(rig.names[bone])}.'
        for role, chain in bones.items()
        for side in SIDES
        if role.startswith(side + "_")
        for bone in chain
        if side_of(rig.names[bone]) not in ("", side)
    ]


def _trunk(rig: Rig, bones: dict[str, list[int]]) -> list[str]:
    found = []
    hips = bones["hips"][0]
    carrier = bones.get("centre", bones["hips"])[0]
    for side in SIDES:
        thigh = bones[f"{side}_thigh"][0]
        if hips not in rig.ancestors(thigh):
            found.append(
                f'"{rig.names[thigh]}" ({side} thigh) does not hang from "{rig.names[hips]}" (hips), so the legs '
                "would not follow the pelvis."
            )
    for role in ("hips", "spine"):
        if role in bones and bones[role][0] != carrier and carrier not in rig.ancestors(bones[role][0]):
            found.append(
                f'"{rig.names[bones[role][0]]}" ({role}) does not hang from "{rig.names[carrier]}", which moves the '
                "body: name the bone above both as centre."
            )
    return found


def _swapped(rig: Rig, bones: dict[str, list[int]]) -> list[str]:
    try:
        front = anatomy.rot.apply(anatomy.body_axes(rig.reference_heads, bones), anatomy.FRONT)
    except ValueError as error:
        return [str(error)[0].upper() + str(error)[1:] + "."]
    ahead = [
        float(
            (rig.reference_heads[bones[f"{s}_toe"][0]] - rig.reference_heads[bones[f"{s}_foot"][0]]) @ front
        )
        for s in SIDES
        if f"{s}_toe" in bones and f"{s}_foot" in bones
    ]
    if ahead and np.mean(ahead) < 0:
        return ["The feet point to the back: the bones of the left and the right side look swapped."]
    return []
