"""The user's own bone maps: TOML files in a folder that stays when the extension is updated."""

from __future__ import annotations

from pathlib import Path

import bpy
from kmm.retarget import BoneMap
from kmm.retarget.bone_map import built_in, load, save

PACKAGE = __package__.rpartition(".")[0]


def folder(create: bool = False) -> Path:
    """Where they are."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="bone_maps", create=create))
    except ValueError:  # run from the source tree, without being installed
        return Path(bpy.utils.user_resource("CONFIG", path="kmm/bone_maps", create=create))


def own() -> list[BoneMap]:
    """Those that can be read; a broken file is no reason not to work with the others."""
    found = []
    for path in sorted(folder().glob("*.toml")):
        try:
            found.append(load(path))
        except (ValueError, OSError) as error:
            print(f"KMM: {error}")
    return found


def keep(bone_map: BoneMap) -> Path:
    """Save a map under its name, over one of the same name. Raises OSError."""
    name = "".join(c if c.isalnum() or c in " -_." else "_" for c in bone_map.name).strip(" .") or "map"
    path = folder(create=True) / f"{name}.toml"
    save(bone_map, path)
    return path


def all_by_name() -> dict[str, BoneMap]:
    """The user's and the built-in ones, in the order of their names; the user's go before others of that name."""
    return dict(sorted({m.name: m for m in [*built_in(), *own()]}.items()))
