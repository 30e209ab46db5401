"""What the buttons of retargeting do. Each also runs from scripts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import EnumProperty, StringProperty
from kmm.retarget.bone_map import load
from kmm.retarget.matching import fit, mirrored
from kmm.retarget.roles import SIDED, SIDES

from . import maps
from .retarget import retarget_action
from .settings import KMM_MappedRig


def _armatures(context: bpy.types.Context) -> list[bpy.types.Object]:
    return [obj for obj in context.selected_objects if obj.type == "ARMATURE"]


def _by_name(name: str) -> bpy.types.Object:
    """Raises ValueError."""
    obj = bpy.data.objects.get(name)
    if obj is None:
        raise ValueError(_("There is no object {}").format(name))
    return obj


class KMM_OT_retarget(bpy.types.Operator):
    """Put the source's motion onto the targets, each as a new action; their former actions stay in the file"""

    bl_idname = "kmm.retarget"
    bl_label = "Retarget"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    source: StringProperty(
        name="Source",
        description="An armature's name. If not given: the scene's source",
        options={"SKIP_SAVE"},
    )
    target: StringProperty(
        name="Target",
        description="An armature's name. If not given: the scene's targets, or if there are none, what is selected",
        options={"SKIP_SAVE"},
    )
    action: StringProperty(
        name="Action", description="If not given: all that animates the source now", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.kmm_retargeting
        try:
            source, targets = self._source(context), self._targets(context)
            action = bpy.data.actions.get(self.action) if self.action else settings.action
            if self.action and action is None:
                raise ValueError(_("There is no action {}").format(self.action))
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        done, failed = [], []
        for target in targets:
            try:
                retarget_action(
                    source,
                    target,
                    action=action,
                    source_map=settings.table_of(source, source=True),
                    target_map=settings.table_of(target),
                    options=settings.options(),
                )
            except ValueError as error:  # the others get theirs
                failed.append(str(error))
            else:
                done.append(target.name)
        for text in failed:
            self.report({"ERROR"} if not done else {"WARNING"}, text)
        if done:
            self.report({"INFO"}, _("Retargeted to {}").format(", ".join(done)))
        return {"FINISHED"} if done else {"CANCELLED"}

    def _source(self, context: bpy.types.Context) -> bpy.types.Object:
        source = _by_name(self.source) if self.source else context.scene.kmm_retargeting.source.object
        source = source or context.scene.kmm.character
        if source is None:
            raise ValueError(_("There is no source: choose the armature that has the motion"))
        return source

    def _targets(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        if self.target:
            return [_by_name(self.target)]
        settings = context.scene.kmm_retargeting
        source = self._source(context)
        found = settings.used() if len(settings.targets) else _armatures(context)
        found = [obj for obj in found if obj != source]
        if not found:
            raise ValueError(
                _("There is no target: select the armatures that are to get the motion and add them")
            )
        return found


class KMM_OT_retarget_add(bpy.types.Operator):
    """Add the selected armatures to the targets, with the bone maps that fit them"""

    bl_idname = "kmm.retarget_add"
    bl_label = "Add Selected"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.kmm_retargeting
        there = {rig.object for rig in settings.targets}
        source = settings.source.object or context.scene.kmm.character
        new = [obj for obj in _armatures(context) if obj not in there and obj != source]
        if not new:
            self.report({"ERROR"}, _("No further armature is selected"))
            return {"CANCELLED"}
        for obj in new:
            settings.targets.add().object = obj
            settings.index = len(settings.targets) - 1
        return {"FINISHED"}


class KMM_OT_retarget_remove(bpy.types.Operator):
    """Take the armature off the list of targets; nothing else happens to it"""

    bl_idname = "kmm.retarget_remove"
    bl_label = "Remove Target"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(context.scene.kmm_retargeting.targets) > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.kmm_retargeting
        settings.targets.remove(settings.index)
        settings.index = max(0, min(settings.index, len(settings.targets) - 1))
        return {"FINISHED"}


class OnTable:
    """Operators on the table that is shown."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        rig = context.scene.kmm_retargeting.shown()
        if rig is None or rig.object is None:
            cls.poll_message_set(_("Choose an armature first"))
            return False
        return True

    def rig(self, context: bpy.types.Context) -> KMM_MappedRig:
        return context.scene.kmm_retargeting.shown()


class KMM_OT_map_guess(OnTable, bpy.types.Operator):
    """Find the bones by their names, or else by the shape of the rig"""

    bl_idname = "kmm.map_guess"
    bl_label = "Find Bones"

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self.rig(context).fill_by_itself():
            self.report({"WARNING"}, _("This does not look like a humanoid; fill in the table by hand"))
        return {"FINISHED"}


def _choices(self: bpy.types.Operator, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    # Blender needs the strings of a dynamic list to stay alive
    _choices.kept = [(name, name, "") for name in maps.all_by_name()]
    return _choices.kept


class KMM_OT_map_choose(OnTable, bpy.types.Operator):
    """Fill the table from one of the maps that come with KMM, or one of your own"""

    bl_idname = "kmm.map_choose"
    bl_label = "Choose Map"
    bl_property = "name"

    name: EnumProperty(name="Map", description="Which map the table is filled from", items=_choices)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig = self.rig(context)
        match = fit(maps.all_by_name()[self.name], rig.object.data.bones.keys())
        rig.fill(match.bone_map, _("Chosen, {} found").format(f"{match.score:.0%}"))
        return {"FINISHED"}


class KMM_OT_map_mirror(OnTable, bpy.types.Operator):
    """Fill one side of the table with the mirrored names of the other"""

    bl_idname = "kmm.map_mirror"
    bl_label = "Fill Other Side"

    side: EnumProperty(
        name="From",
        description="Which side of the table is right as it is",
        items=[
            ("left", "Left to Right", "The left side is right"),
            ("right", "Right to Left", "The right side is"),
        ],
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig = self.rig(context)
        rig.fill(mirrored(rig.bone_map(), rig.object.data.bones.keys(), self.side), _("Edited"))
        return {"FINISHED"}


class KMM_OT_map_add(OnTable, bpy.types.Operator):
    """One more bone in this chain, on both sides"""

    bl_idname = "kmm.map_add"
    bl_label = "Add Bone"
    bl_options: ClassVar[set[str]] = {"INTERNAL", "UNDO"}

    role: StringProperty()

    def execute(self, context: bpy.types.Context) -> set[str]:
        for role in [f"{side}_{self.role}" for side in SIDES] if self.role in SIDED else [self.role]:
            self.rig(context).add(role)
        return {"FINISHED"}


class KMM_OT_map_save(OnTable, bpy.types.Operator):
    """Keep the map for all rigs with these bones; from now on it is found before those that come with KMM"""

    bl_idname = "kmm.map_save"
    bl_label = "Save Map"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            path = maps.keep(self.rig(context).bone_map())
        except OSError as error:
            self.report({"ERROR"}, _("The map cannot be saved: {}").format(error))
            return {"CANCELLED"}
        self.report({"INFO"}, _("Saved: {}").format(path))
        return {"FINISHED"}


class KMM_OT_map_load(OnTable, bpy.types.Operator):
    """Fill the table from a map's file"""

    bl_idname = "kmm.map_load"
    bl_label = "Load Map"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.toml", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = str(maps.folder()) + "/"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        rig = self.rig(context)
        try:
            match = fit(load(self.filepath), rig.object.data.bones.keys())
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        rig.fill(
            match.bone_map, _("From {}, {} found").format(Path(self.filepath).name, f"{match.score:.0%}")
        )
        return {"FINISHED"}


CLASSES = (
    KMM_OT_retarget,
    KMM_OT_retarget_add,
    KMM_OT_retarget_remove,
    KMM_OT_map_guess,
    KMM_OT_map_choose,
    KMM_OT_map_mirror,
    KMM_OT_map_add,
    KMM_OT_map_save,
    KMM_OT_map_load,
)
