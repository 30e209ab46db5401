"""Bone maps: which bone of a rig is which part of the body, as TOML files that a rigger can read and write.

    name = "Unreal mannequin"
    sides = ["l", "r"]          # what stands for {side} on the left and on the right

    [bones]                     # the midline; chains from the body outwards
    root = "root"
    hips = "pelvis"
    spine = ["spine_01", "spine_02", "spine_03"]

    [limbs]                     # both sides at once
    thigh = "thigh_{side}"

    [left]                      # only where a side does not follow the pattern
    hand = "hand_L_fixed"

Roles are listed in `roles`. A control rig's file may also have three tables:

    [follows]                   # where constraints make a bone follow another bone than its parent
    "upper_arm_fk.{side}" = "shoulder.{side}"

    [ik]                        # controls for inverse kinematics, and the part of the body that each rides on
    "hand_ik.{side}" = "hand"

    [properties]                # custom properties of bones, set so that the mapped controls move the body
    "upper_arm_parent.{side}" = { IK_FK = 1.0 }
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from kmm.retarget.names import SIDE_WORDS
from kmm.retarget.rig import Rig
from kmm.retarget.roles import CHAINS, MIDLINE, REQUIRED, ROLES, SIDED, SIDES, part

Properties = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class BoneMap:
    """name: for people. bones: role -> bone names, the body's end first. follows: bone -> the bone that it follows
    rigidly instead of its parent. ik: control -> role whose first bone it moves with. properties: bone -> custom
    property -> value, to be set on a control rig for the range that is keyed. prefer: chosen over maps of a lower
    number that fit a rig as well.
    """

    name: str
    bones: Mapping[str, tuple[str, ...]]
    follows: Mapping[str, str] = field(default_factory=dict)
    ik: Mapping[str, str] = field(default_factory=dict)
    properties: Properties = field(default_factory=dict)
    prefer: int = 0

    def __post_init__(self) -> None:
        for role, chain in self.bones.items():
            if role not in ROLES:
                raise ValueError(f'"{role}" is not a part of the body that a bone map knows: {_close(role)}')
            if len(chain) > 1 and part(role) not in CHAINS:
                raise ValueError(f'"{role}" can be one bone only, got {", ".join(chain)}')

    @property
    def names(self) -> tuple[str, ...]:
        """All bones that it names."""
        return tuple(name for chain in self.bones.values() for name in chain)


def built_in() -> list[BoneMap]:
    """The maps that come with kmm."""
    return list(_built_in().values())


def named(name: str) -> BoneMap:
    """A built-in map by its file's name ("rigify") or its own name, in any case."""
    for key, bone_map in _built_in().items():
        if name.lower() in (key, bone_map.name.lower()):
            return bone_map
    raise ValueError(f'no bone map "{name}": choose one of {", ".join(_built_in())}, or give a .toml file')


@cache
def _built_in() -> dict[str, BoneMap]:
    files = sorted(
        (f for f in resources.files(__package__).joinpath("maps").iterdir() if f.name.endswith(".toml")),
        key=lambda f: f.name,
    )
    return {f.name.removesuffix(".toml"): parse(f.read_text(encoding="utf-8"), f.name) for f in files}


def load(path: str | os.PathLike[str]) -> BoneMap:
    """Read a map from a TOML file; ValueError names the file and what is wrong in it."""
    path = Path(path)
    return parse(path.read_text(encoding="utf-8"), path.name)


def save(bone_map: BoneMap, path: str | os.PathLike[str]) -> None:
    """Write a map as TOML."""
    Path(path).write_text(to_toml(bone_map), encoding="utf-8")


def parse(text: str, file: str = "bone map") -> BoneMap:
    """A map from the text of its TOML file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is not TOML: {error}") from error
    try:
        return _from_tables(data)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: {error}") from error


def _from_tables(data: Mapping[str, object]) -> BoneMap:
    known = {"name", "sides", "prefer", "bones", "limbs", "left", "right", "follows", "ik", "properties"}
    if set(data) - known:
        raise ValueError(
            f'"{min(set(data) - known)}" is not a table of a bone map: {", ".join(sorted(known))}'
        )
    tables = {key: _table(data, key) for key in known - {"name", "sides", "prefer"}}
    words = data.get("sides", ["left", "right"])
    if not (isinstance(words, list) and len(words) == 2 and all(isinstance(w, str) for w in words)):
        raise ValueError('sides must be two words, such as sides = ["L", "R"]')
    bones: dict[str, tuple[str, ...]] = {}
    for role, value in tables["bones"].items():
        bones[role] = _chain(role, value)
    for side, word in zip(SIDES, words, strict=True):
        for role, value in tables["limbs"].items():
            bones[f"{side}_{role}"] = tuple(n.replace("{side}", word) for n in _chain(role, value))
        for role, value in tables[side].items():
            bones[f"{side}_{role}"] = _chain(role, value)
    properties: dict[str, dict[str, float]] = {}
    follows: dict[str, str] = {}
    ik: dict[str, str] = {}
    for side, word in zip(SIDES, words, strict=True):
        for bone, values in tables["properties"].items():
            if not isinstance(values, dict):
                raise ValueError(f'[properties] "{bone}" must be a table of properties and values')
            properties[bone.replace("{side}", word)] = values
        for bone, parent in tables["follows"].items():
            follows[bone.replace("{side}", word)] = str(parent).replace("{side}", word)
        for control, ridden in tables["ik"].items():
            ik[control.replace("{side}", word)] = f"{side}_{ridden}" if ridden in SIDED else str(ridden)
    for control, role in ik.items():
        if role not in ROLES:
            raise ValueError(f'[ik] "{control}" rides on "{role}", which is no part of the body')
    ordered = {role: bones[role] for role in ROLES if bones.get(role)}
    unknown = [role for role in bones if role not in ROLES]
    if unknown:
        raise ValueError(
            f'"{unknown[0]}" is not a part of the body that a bone map knows: {_close(unknown[0])}'
        )
    return BoneMap(
        str(data.get("name", "unnamed")), ordered, follows, ik, properties, int(str(data.get("prefer", 0)))
    )


def _table(data: Mapping[str, object], key: str) -> dict[str, object]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise ValueError(f"[{key}] must be a table")
    return table


def _chain(role: str, value: object) -> tuple[str, ...]:
    chain = [value] if isinstance(value, str) else value
    if not isinstance(chain, list) or not all(isinstance(name, str) for name in chain):
        raise ValueError(f"{role} must be a bone's name or a list of names, got {value!r}")
    return tuple(name for name in chain if name)


def _close(role: str) -> str:
    known = MIDLINE if part(role) == role and role not in SIDED else SIDED
    return "use one of " + ", ".join(known)


def to_toml(bone_map: BoneMap) -> str:
    """The text of the map's file; both sides in one table if they differ by one word alone."""
    lines = [f"name = {_quoted(bone_map.name)}"]
    if bone_map.prefer:
        lines.append(f"prefer = {bone_map.prefer}")
    pattern = _pattern(bone_map)
    if pattern:
        lines.append(f"sides = [{_quoted(pattern[0])}, {_quoted(pattern[1])}]")

    def table(title: str, rows: Mapping[str, tuple[str, ...]]) -> None:
        if rows:
            lines.extend(["", f"[{title}]"])
            for role, chain in rows.items():
                names = ", ".join(_quoted(n) for n in chain)
                lines.append(f"{role} = {names if len(chain) == 1 else f'[{names}]'}")

    table("bones", {role: chain for role, chain in bone_map.bones.items() if role in MIDLINE})
    sided = {
        side: {part(r): c for r, c in bone_map.bones.items() if r.startswith(side + "_")} for side in SIDES
    }
    if pattern:
        table("limbs", pattern[2])
    else:
        for side in SIDES:
            table(side, sided[side])
    for title, pairs in (("follows", bone_map.follows), ("ik", bone_map.ik)):
        if pairs:
            lines += ["", f"[{title}]"]
            lines += [f"{_quoted(key)} = {_quoted(value)}" for key, value in pairs.items()]
    if bone_map.properties:
        lines += ["", "[properties]"]
        for bone, values in bone_map.properties.items():
            inner = ", ".join(f"{_quoted(key)} = {value!r}" for key, value in values.items())
            lines.append(f"{_quoted(bone)} = {{ {inner} }}")
    return "\n".join(lines) + "\n"


def _pattern(bone_map: BoneMap) -> tuple[str, str, dict[str, tuple[str, ...]]] | None:
    """Words for left and right, and the limbs with {side} in their place, if these make the whole map."""
    left, right = (
        {part(r): c for r, c in bone_map.bones.items() if r.startswith(side + "_")} for side in SIDES
    )
    if not left or {r: len(c) for r, c in left.items()} != {r: len(c) for r, c in right.items()}:
        return None
    for words in SIDE_WORDS:
        limbs = {
            role: tuple(_with_side(*names, words) for names in zip(chain, right[role], strict=True))
            for role, chain in left.items()
        }
        if all(name is not None for chain in limbs.values() for name in chain):
            return *words, {role: tuple(map(str, chain)) for role, chain in limbs.items()}
    return None


def _with_side(left: str, right: str, words: tuple[str, str]) -> str | None:
    """The name with {side} in the one place where left and right differ, or None."""
    for place in re.finditer(re.escape(words[0]), left):
        pattern = left[: place.start()] + "{side}" + left[place.end() :]
        if pattern.replace("{side}", words[1]) == right:
            return pattern
    return None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def resolve(bone_map: BoneMap, rig: Rig) -> dict[str, tuple[int, ...]]:
    """role -> bone indices, of those bones that the rig has; ValueError if one is missing that cannot be."""
    found = {
        role: tuple(rig.index[name] for name in chain if name in rig.index)
        for role, chain in bone_map.bones.items()
    }
    for role in REQUIRED:
        if not found.get(role):
            wanted = bone_map.bones.get(role)
            raise ValueError(
                f'the bone map "{bone_map.name}" names {" or ".join(wanted)} as {role}, but the rig has no such bone'
                if wanted
                else f'the bone map "{bone_map.name}" names no bone as {role}, and retargeting needs one'
            )
    return {role: chain for role, chain in found.items() if chain}
