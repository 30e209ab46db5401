"""Characters in files: opening one, and writing it with its motion for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from . import bvh_export

IMPORTED_FPS = 30  #: of the scene into which a character comes from a file that says no rate


def open_character(path: Path, names: Sequence[str] = ()) -> bpy.types.Object:
    """The armature of a .blend, .fbx, .glb or .gltf file, which is opened in place of the present one.

    names: which of several armatures to take. An imported character comes without the motions in its file. Raises
    ValueError with a sentence.
    """
    if path.suffix.lower() == ".blend":
        _call(bpy.ops.wm.open_mainfile, path, load_ui=False, use_scripts=False)
        return find_armature(path, names)
    import_file(path)
    armature = find_armature(path, names)
    for obj in bpy.data.objects:
        obj.animation_data_clear()
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    for bone in armature.pose.bones:
        bone.matrix_basis.identity()
    return armature


def import_file(path: Path) -> None:
    """A .fbx, .glb or .gltf file in place of the present one. Raises ValueError with a sentence."""
    importers = [bpy.ops.import_scene.gltf]
    if path.suffix.lower() == ".fbx":
        importers = [bpy.ops.import_scene.fbx]
        if "fbx_import" in dir(bpy.ops.wm):
            importers.append(bpy.ops.wm.fbx_import)  # Blender 5.0's older importer fails on files with a lamp
    for importer in importers:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        bpy.context.scene.render.fps = IMPORTED_FPS
        try:
            _call(importer, path)
        except ValueError:
            if importer == importers[-1]:
                raise
        else:
            return


def find_armature(path: Path, names: Sequence[str] = ()) -> bpy.types.Object:
    """The one armature of the open file, or of several the one that is named. Raises ValueError with a sentence."""
    found = [obj for obj in bpy.data.objects if obj.type == "ARMATURE" and obj.users_scene]
    if not found:
        raise ValueError(f"{path.name} has no armature in it")
    # what is linked cannot be animated, what overrides it can
    found = [obj for obj in found if obj.library is None] or found
    if len(found) == 1:
        return found[0]
    wanted = [obj for obj in found if obj.name in names]
    if len(wanted) != 1:
        what = (
            "say which one to use" if not names else f"{len(wanted)} of them are named {' or '.join(names)}"
        )
        raise ValueError(f"{path.name} has several armatures, {', '.join(o.name for o in found)}: {what}")
    return wanted[0]


def save(armature: bpy.types.Object, path: Path) -> None:
    """Write the open file as .blend, or the armature with its skin and its motion as .fbx, .glb or .bvh.

    The scene's frame range is written, and unless it is a .blend only the bones that deform, from a scene made for
    it, so the open file is not to be used any more. Raises ValueError.
    """
    suffix = path.suffix.lower()
    if suffix == ".blend":
        _call(bpy.ops.wm.save_as_mainfile, path, copy=True, compress=True)
        return
    _show_only(armature)
    if suffix == ".fbx":
        _call(
            bpy.ops.export_scene.fbx,
            path,
            object_types={"EMPTY", "ARMATURE", "MESH"},
            apply_scale_options="FBX_SCALE_UNITS",
            use_armature_deform_only=True,
            add_leaf_bones=False,
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
        )
    elif suffix == ".glb":
        _call(
            bpy.ops.export_scene.gltf,
            path,
            export_format="GLB",
            use_active_scene=True,
            export_def_bones=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_nla_strips_merged_animation_name=armature.animation_data.action.name,
            export_anim_slide_to_zero=True,
        )
    elif suffix == ".bvh":
        bvh_export.save(armature, path)
    else:
        raise ValueError(f"{path.name}: the suffix must be .blend, .fbx, .glb or .bvh")


def skin_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that the armature deforms or carries."""

    def worn(obj: bpy.types.Object) -> bool:
        deformed = any(m.type == "ARMATURE" and m.object == armature for m in obj.modifiers)
        return deformed or armature in _parents(obj)

    return [obj for obj in bpy.data.objects if obj.type == "MESH" and obj.users_scene and worn(obj)]


def _show_only(armature: bpy.types.Object) -> None:
    """Go to a scene with the settings of the present one and only the armature, its skin and what they hang from.

    Exporters take what a scene shows, and there is no telling what the user has hidden.
    """
    bpy.ops.scene.new(type="EMPTY")
    scene = bpy.context.scene
    scene.name = armature.animation_data.action.name  # by which FBX calls the motion
    skin = skin_of(armature)
    parents = [p for obj in (armature, *skin) for p in _parents(obj)]
    for obj in dict.fromkeys((armature, *skin, *parents)):
        scene.collection.objects.link(obj)
        obj.hide_viewport = False
        obj.hide_set(False)
    bpy.context.view_layer.objects.active = armature


def _parents(obj: bpy.types.Object) -> list[bpy.types.Object]:
    found = []
    while obj.parent is not None:
        obj = obj.parent
        found.append(obj)
    return found


def _call(operator: Any, path: Path, **options: Any) -> None:
    """Run an importer, exporter or the like; ValueError tells in a line what Blender said."""
    try:
        result = operator(filepath=str(path), **options)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = [line for line in lines if not line.startswith("Location:")]
        raise ValueError(f"{path.name}: {told[-1].removeprefix('Error: ')}") from error
    if "FINISHED" not in result:
        raise ValueError(f"{path.name}: Blender could not read or write it")
