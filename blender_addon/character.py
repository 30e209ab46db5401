"""The character that a motion goes onto: the one at hand, or a new armature with a mannequin."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import bpy
from bpy.app.handlers import persistent

from . import armature, mannequin, performer


def target(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature to use: the selected active one (or whose mannequin is), else the scene's; None: make one."""
    active = context.view_layer.objects.active
    if active is not None and active.select_get():
        for obj in (active, active.parent):
            if performer.usable(obj):
                return obj
    chosen = context.scene.kmm.character
    if chosen is not None and chosen.name in context.scene.objects and performer.usable(chosen):
        return chosen
    return None


def create(context: bpy.types.Context) -> bpy.types.Object:
    """A new SMPL armature with its mannequin at the 3D cursor. Mode, selection and active object stay."""
    with _all_or_nothing():
        data = bpy.data.armatures.new("KMM")
        data.display_type = "WIRE"
        obj = bpy.data.objects.new("KMM", data)
        obj.location = context.scene.cursor.location
        obj.show_in_front = True
        collection = _collection(context)
        _edit_bones(context, obj)
        for each in (obj, mannequin.create(obj)):
            collection.objects.link(each)
    return obj


def made_by_create(obj: bpy.types.Object) -> set[int]:
    """The session_uids of the objects that `create` has just made."""
    return {each.session_uid for each in (obj, *obj.children)}


def remove(uids: Collection[int]) -> None:
    """Take back what `create` made, as far as it is there, and its data unless somebody else uses them.

    What the user has parented to it stays where it is seen.
    """
    objects = [obj for obj in bpy.data.objects if obj.session_uid in uids]
    for child in {child for obj in objects for child in obj.children}.difference(objects):
        place = child.matrix_world.copy()
        child.parent = None
        child.matrix_world = place
    data = {obj.data for obj in objects}
    bpy.data.batch_remove(objects)
    bpy.data.batch_remove([each for each in data if each.users == 0])


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """What fails leaves none of the data that it has made."""
    kinds = (bpy.data.objects, bpy.data.armatures, bpy.data.meshes, bpy.data.materials)
    before = {each for kind in kinds for each in kind}
    try:
        yield
    except Exception:
        bpy.data.batch_remove({each for kind in kinds for each in kind} - before)
        raise


@persistent
def _forget_deleted(scene: bpy.types.Scene, graph: bpy.types.Depsgraph | None = None) -> None:
    """Let the settings not keep a character that was deleted in the view."""
    if graph is None or not graph.id_type_updated("COLLECTION"):
        return
    chosen = scene.kmm.character
    if chosen is not None and chosen.name not in scene.objects:
        scene.kmm.character = None


def register() -> None:
    bpy.app.handlers.depsgraph_update_post.append(_forget_deleted)


def unregister() -> None:
    bpy.app.handlers.depsgraph_update_post.remove(_forget_deleted)


def _collection(context: bpy.types.Context) -> bpy.types.Collection:
    """The active collection, or the scene's own if that one is hidden, linked or a library override."""
    active = context.view_layer.active_layer_collection
    collection = active.collection
    usable = active.is_visible and collection.library is None and collection.override_library is None
    return collection if usable else context.scene.collection


def _edit_bones(context: bpy.types.Context, obj: bpy.types.Object) -> None:
    """Bones can only be made in edit mode; in a scene of its own that disturbs no mode and no selection."""
    scene = bpy.data.scenes.new("KMM")
    try:
        scene.collection.objects.link(obj)
        layer = scene.view_layers[0]
        layer.objects.active = obj
        with context.temp_override(scene=scene, view_layer=layer, active_object=obj, object=obj):
            bpy.ops.object.mode_set(mode="EDIT")
            armature.add_bones(obj.data)
            bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        bpy.data.scenes.remove(scene)
