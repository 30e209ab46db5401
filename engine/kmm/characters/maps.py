"""Bone maps that the user asks for, on the rigs that they are asked for."""

from __future__ import annotations

from pathlib import Path

from kmm.retarget import BoneMap, Rig
from kmm.retarget.bone_map import load, named
from kmm.retarget.checking import said
from kmm.retarget.matching import BODY, fit
from kmm.retarget.roles import REQUIRED


def asked(name: str) -> BoneMap:
    """A bone map by the name of a built-in one or by its file. ValueError, OSError."""
    return load(name) if Path(name).suffix.lower() == ".toml" else named(name)


def fitted(bone_map: BoneMap, rig: Rig) -> tuple[BoneMap, str]:
    """The map with the rig's own names, and which bones of the body it lacks there, in a sentence or empty.

    Raises ValueError, naming the bones, if the rig lacks one that retargeting needs.
    """
    found = fit(bone_map, rig.names).bone_map
    lacking = [role for role in BODY if role in bone_map.bones and role not in found.bones]
    needed = [role for role in REQUIRED if role not in found.bones]
    unnamed = [said(role) for role in needed if role not in bone_map.bones]
    if unnamed:
        raise ValueError(f'the bone map "{bone_map.name}" names no bone for {", ".join(unnamed)}')
    if needed:
        raise ValueError(
            f'the bone map "{bone_map.name}" does not fit: the rig has no {_bones(bone_map, needed)}'
        )
    return found, f"the rig has no {_bones(bone_map, lacking)}" if lacking else ""


def _bones(bone_map: BoneMap, roles: list[str]) -> str:
    return ", ".join(f'"{bone_map.bones[role][0]}" ({said(role)})' for role in roles)
