"""What the user sets in the panel. It is saved with the scene; what is running is not."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
)

from . import markers, performer, storyboard
from .edit_settings import KMM_EditSettings
from .translations import CONTEXT


def _board_changed(settings: KMM_Settings, context: bpy.types.Context) -> None:
    scene = settings.id_data
    markers.update(scene, storyboard.boundaries(scene))


def _usable(_: KMM_Settings, obj: bpy.types.Object) -> bool:
    # a function, for in Blender 5.2 a lambda in an annotation does not see its module
    return performer.usable(obj)


class KMM_Settings(bpy.types.PropertyGroup):
    blocks: CollectionProperty(type=storyboard.KMM_Block)
    active_block: IntProperty(name="Active Block", description="The block whose settings are shown below")
    frame_start: IntProperty(
        name="Start Frame",
        description="Where the storyboard's first block begins",
        default=1,
        update=_board_changed,
    )
    show_markers: BoolProperty(
        name="Markers",
        description="Show on the timeline where the blocks begin and end",
        default=True,
        update=_board_changed,
    )
    markers: CollectionProperty(type=markers.KMM_Marker)
    character: PointerProperty(
        name="Character",
        description="The KMM armature that gets the motion. Empty: a new one is made. "
        "A KMM armature that is selected and active goes before it",
        type=bpy.types.Object,
        poll=_usable,
        translation_context=CONTEXT,
    )
    takes: IntProperty(
        name="Takes",
        description="How many variations to make at once, to choose from",
        default=1,
        min=1,
        max=8,
    )
    place: EnumProperty(
        name="Start",
        description="Where the motion starts",
        items=(
            ("ORIGIN", "At Origin", "On the armature's origin, facing its front"),
            (
                "HERE",
                "Where It Stands",
                "Where the character stands at the start frame, and the way it faces",
            ),
            (
                "CONTINUE",
                "After Last Key",
                "After the character's last key, going on from the motion before it",
            ),
        ),
    )
    speed: FloatProperty(
        name="Speed",
        translation_context=CONTEXT,
        description="How fast the motion is played: with 2 the character does twice as much in the same time",
        default=1.0,
        min=0.1,
        max=10.0,
        soft_min=0.5,
        soft_max=2.0,
    )
    in_place: BoolProperty(name="In Place", description="Keep the character above the spot where it starts")
    loop: BoolProperty(name="Loop", description="Let the last pose and its velocity meet the first")
    mirror: BoolProperty(name="Mirror", description="Exchange left and right")
    accept_as: EnumProperty(
        name="Keep As",
        description="What a motion becomes when it is kept",
        items=(
            ("ACTION", "Action", "An action of its own, on the character"),
            (
                "STRIP",
                "NLA Strip",
                "An action of its own, as a strip on a track of the character's NLA. The action that was active "
                "stays active; if it would hide the motion, it becomes a strip below",
            ),
        ),
    )
    edit: PointerProperty(type=KMM_EditSettings)


CLASSES = (storyboard.KMM_Block, markers.KMM_Marker, KMM_EditSettings, KMM_Settings)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.kmm = PointerProperty(type=KMM_Settings)


def unregister() -> None:
    del bpy.types.Scene.kmm
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
