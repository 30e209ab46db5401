"""All that a file holds, as one flat dictionary, to see what has changed in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

#: What every look at the scene changes: results of evaluation, and sizes of what is shown.
DERIVED = {
    "rna_type",
    "session_uid",
    "is_evaluated",
    "is_updated",
    "is_updated_data",
    "tag",
    "users",
    "original",
}
DERIVED |= {"bound_box", "dimensions"}
#: Ways from one bone to others, which are come upon by themselves.
RELATIVES = {
    "parent",
    "child",
    "children",
    "children_recursive",
    "bone",
    "bones_recursive",
    "collections",
    "bones",
}
BONES = (bpy.types.Bone, bpy.types.PoseBone, bpy.types.BoneCollection)
SIMPLE = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}


#: Of all kinds of data; of a scene only what `_scene` names, since reading all of it crashes without a window.
KINDS = ("actions", "armatures", "collections", "libraries", "materials", "objects", "texts", "worlds")


def everything(*but: bpy.types.ID) -> dict[str, Any]:
    """Path -> value of every property of every datablock but these."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        for block in getattr(bpy.data, kind):
            if block not in but:
                seen = {block.as_pointer()}
                for path, value in _of(block, seen):
                    found[f"{kind}[{block.name}]{path}"] = value
    for mesh in bpy.data.meshes:
        found[f"meshes[{mesh.name}]"] = tuple(tuple(v.co) for v in mesh.vertices)
    for scene in bpy.data.scenes:
        found |= {f"scenes[{scene.name}].{key}": value for key, value in _scene(scene).items()}
    active = bpy.context.view_layer.objects.active
    found["active"], found["mode"] = active and active.name, bpy.context.mode
    return found


def _scene(scene: bpy.types.Scene) -> dict[str, Any]:
    return {
        "frames": (scene.frame_current, scene.frame_start, scene.frame_end, scene.use_preview_range),
        "rate": (scene.render.fps, scene.render.fps_base),
        "cursor": _plain(scene.cursor.matrix),
        "markers": [(m.name, m.frame) for m in scene.timeline_markers],
        "objects": [o.name for o in scene.objects],
        "selected": [
            o.name for o in scene.view_layers[0].objects if o.select_get(view_layer=scene.view_layers[0])
        ],
        "keys": sorted(scene.keys()),
    }


def _of(struct: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for prop in struct.bl_rna.properties:
        if prop.identifier in DERIVED or prop.identifier.startswith("bl_"):
            continue
        path = f".{prop.identifier}"
        try:
            value = getattr(struct, prop.identifier)
        except (AttributeError, RuntimeError):
            continue  # only there in some modes
        if prop.type in SIMPLE:
            yield path, _plain(value)
        elif isinstance(struct, BONES) and prop.identifier in RELATIVES:
            names = [value] if prop.type == "POINTER" else value
            yield path, tuple(v.name for v in names if v is not None)
        elif prop.type == "POINTER":
            yield from _inside(path, value, seen)
        elif not isinstance(value, bpy.types.bpy_prop_array):
            yield f"{path}.length", len(value)
            for i, item in enumerate(value):
                yield from _inside(f"{path}[{i}]", item, seen)
    for key in getattr(struct, "keys", tuple)() if isinstance(struct, bpy.types.PoseBone) else ():
        yield f"[{key}]", _plain(struct[key])


def _inside(path: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if value is None or isinstance(value, bpy.types.ID):
        yield path, None if value is None else (type(value).__name__, value.name)
    elif hasattr(value, "as_pointer") and value.as_pointer() not in seen:
        seen.add(value.as_pointer())
        for below, plain in _of(value, seen):
            yield path + below, plain


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return str(value.to_dict())
    if hasattr(value, "to_list"):
        value = value.to_list()
    if isinstance(value, (bpy.types.bpy_prop_array,)) or type(value).__module__ == "mathutils":
        return tuple(tuple(v) if hasattr(v, "__len__") else v for v in value)
    return frozenset(value) if isinstance(value, set) else value
