"""What the user sets in the panel. It is saved with the scene; what is running is not."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, IntProperty, PointerProperty, StringProperty

from . import armature


class KMM_Settings(bpy.types.PropertyGroup):
    prompt: StringProperty(
        name="Prompt",
        description="What the character does, in plain English: a person walks and turns left",
        default="a person walks forward",
        maxlen=512,
    )
    seconds: FloatProperty(
        name="Duration",
        description="Length of the motion. It starts at the current frame",
        default=4.0,
        min=0.1,
        max=3600.0,
        soft_min=1.0,
        soft_max=20.0,
        step=50,
        precision=1,
        unit="TIME_ABSOLUTE",
    )
    seed: IntProperty(
        name="Seed",
        description="The same prompt, duration and seed give the same motion; another seed gives another take",
        default=1,
        min=0,
    )
    character: PointerProperty(
        name="Character",
        description="The KMM armature that gets the motion. Empty: a new one is made. "
        "A KMM armature that is selected and active goes before it",
        type=bpy.types.Object,
        poll=lambda _, obj: armature.is_smpl(obj),
    )


def register() -> None:
    bpy.utils.register_class(KMM_Settings)
    bpy.types.Scene.kmm = PointerProperty(type=KMM_Settings)


def unregister() -> None:
    del bpy.types.Scene.kmm
    bpy.utils.unregister_class(KMM_Settings)
