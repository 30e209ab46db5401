"""What the user sets for retargeting, saved with the scene: the rigs, their bone maps as tables, and options."""

from __future__ import annotations

from dataclasses import replace

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from kmm.retarget import BoneMap, Options
from kmm.retarget.bone_map import parse, to_toml
from kmm.retarget.checking import problems
from kmm.retarget.retargeter import ROOT_MOTIONS
from kmm.retarget.roles import ROLES

from . import maps, rigs


def _edited(row: KMM_BoneRow, context: bpy.types.Context) -> None:
    owner = row.id_data.path_resolve(row.path_from_id().rpartition(".rows")[0])
    owner.how = _("Edited")
    owner.check()


class KMM_BoneRow(bpy.types.PropertyGroup):
    """One bone of the map; a chain has several rows of one role, the body's end first."""

    role: StringProperty()
    bone: StringProperty(
        name="Bone", description="The bone of the rig that is this part of the body", update=_edited
    )


def _chosen(rig: KMM_MappedRig, context: bpy.types.Context) -> None:
    rig.rows.clear()
    rig.how = rig.problems = rig.title = rig.base = ""
    if rig.object is not None:
        rig.fill_by_itself()


class KMM_MappedRig(bpy.types.PropertyGroup):
    """An armature and its bone map as a table."""

    object: PointerProperty(
        name="Armature",
        description="Whose bones are in the table",
        type=bpy.types.Object,
        poll=lambda _, obj: obj.type == "ARMATURE",
        update=_chosen,
    )
    use: BoolProperty(name="Use", description="Retarget to this armature", default=True)
    rows: CollectionProperty(type=KMM_BoneRow)
    title: StringProperty(name="Name", description="What the map is called, and its file when it is saved")
    base: (
        StringProperty()
    )  # the file of the map that the table began as: what a control rig's has besides bones
    how: StringProperty()
    problems: StringProperty()  # one a line

    @property
    def moves(self) -> bool:
        """Whether its motion is read, not written."""
        return self == self.id_data.kmm_retargeting.source

    def fill(self, bone_map: BoneMap, how: str) -> None:
        """Let the table show this map."""
        self.rows.clear()
        for role in ROLES:
            chain = bone_map.bones.get(role, ())
            for name in chain or ("",):
                row = self.rows.add()
                row.role, row["bone"] = role, name  # past `update`
        self.title, self.base, self.how = bone_map.name, to_toml(bone_map), how
        self.check()

    def fill_by_itself(self) -> bool:
        """By the bones' names or by the rig's shape; whether there was anything to go by."""
        chosen = rigs.choose(rigs.read(self.object), maps.own(), self.moves)
        if chosen is None:
            self.fill(BoneMap("my map", {}), _("Not recognised"))
            return False
        sure = _("By names, {} sure") if chosen.by == "names" else _("By shape, {} sure")
        self.fill(chosen.bone_map, sure.format(f"{chosen.confidence:.0%}"))
        return True

    def add(self, role: str) -> None:
        """One more bone at the end of a chain."""
        rows = [(row.role, row.bone) for row in self.rows]
        last = max((i for i, row in enumerate(rows) if row[0] == role), default=len(rows) - 1)
        rows.insert(last + 1, (role, ""))
        self.rows.clear()
        for role, bone in rows:
            row = self.rows.add()
            row.role, row["bone"] = role, bone

    def bone_map(self) -> BoneMap:
        """The map that the table shows."""
        bones: dict[str, tuple[str, ...]] = {}
        for row in self.rows:
            if row.bone:
                bones[row.role] = (*bones.get(row.role, ()), row.bone)
        base = parse(self.base) if self.base else BoneMap("", {})
        return replace(base, name=self.title or "my map", bones=bones)

    def check(self) -> None:
        """Say what is wrong with the table."""
        if self.object is not None:
            bone_map = self.bone_map()
            found = problems(bone_map, rigs.read(self.object), read_only=self.moves)
            if not self.moves:
                found += rigs.obstacles(self.object, bone_map)
            self.problems = "\n".join(found)


class KMM_Retargeting(bpy.types.PropertyGroup):
    source: PointerProperty(type=KMM_MappedRig)
    action: PointerProperty(
        name="Action",
        description="Of the source. Empty: all that animates it now",
        type=bpy.types.Action,
    )
    targets: CollectionProperty(type=KMM_MappedRig)
    index: IntProperty(name="Target", description="The chosen armature of the list of targets")
    table: EnumProperty(
        name="Bone map of",
        description="Whose bones the table below shows",
        items=[
            ("SOURCE", "Source", "The armature that the motion is read from"),
            ("TARGET", "Target", "The chosen armature of the list of targets"),
        ],
        default="TARGET",
    )
    show_fingers: BoolProperty(name="Fingers", description="Show fingers and twist bones in the table")
    live: BoolProperty(
        name="While Generating",
        description="What is generated goes onto the targets while it comes",
    )
    root_motion: EnumProperty(
        name="Travel",
        description="Which bone carries the motion over the floor",
        items=[
            (name, name.title(), about)
            for name, about in zip(
                ROOT_MOTIONS,
                (
                    "The root does what the source's root does, if both have one; the pelvis does the rest",
                    "The pelvis does all",
                    "The root has travel and heading, as game engines want it",
                    "Nobody travels",
                ),
                strict=True,
            )
        ],
    )
    feet: BoolProperty(
        name="Feet on the Floor",
        description="Bend the legs so that the soles are on the floor where the source's are, at the target's size. "
        "Off: the legs point exactly as the source's do",
        default=True,
    )
    hands: BoolProperty(
        name="Hands in Place",
        description="Bend the arms so that the hands are as near to each other and to the body as the source's",
    )
    ik_controls: BoolProperty(
        name="IK Controls Too",
        description="Key a control rig's controls for inverse kinematics as well, to go on animating with them",
    )
    world: BoolProperty(
        name="In the Same Place",
        description="It happens where the source does it. Off: the target's object carries the motion with it",
    )

    def options(self) -> Options:
        return Options(
            root_motion=self.root_motion,
            feet=self.feet,
            hands=self.hands,
            space="world" if self.world else "object",
            ik_controls=self.ik_controls,
        )

    def shown(self) -> KMM_MappedRig | None:
        """The rig whose table is shown."""
        if self.table == "SOURCE":
            return self.source if self.source.object else None
        return self.targets[self.index] if 0 <= self.index < len(self.targets) else None

    def table_of(self, obj: bpy.types.Object, source: bool = False) -> BoneMap | None:
        """The map that the user has in a table for this armature."""
        for rig in (self.source,) if source else self.targets:
            if rig.object == obj and rig.rows:
                return rig.bone_map()
        return None

    def used(self) -> list[bpy.types.Object]:
        """The armatures in the list that are ticked."""
        return [rig.object for rig in self.targets if rig.object is not None and rig.use]


CLASSES = (KMM_BoneRow, KMM_MappedRig, KMM_Retargeting)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.kmm_retargeting = PointerProperty(type=KMM_Retargeting)


def unregister() -> None:
    del bpy.types.Scene.kmm_retargeting
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
