"""What is done to a motion when it is kept, and how keys are reduced. Saved with the scene, as `scene.kmm.edit`."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty

INTERPOLATIONS = (
    ("BEZIER", "Bezier", "Curves with aligned handles: fewest keys, and easy to change"),
    ("LINEAR", "Linear", "Straight from key to key, which takes many more keys"),
)


class KMM_EditSettings(bpy.types.PropertyGroup):
    lock_feet: BoolProperty(
        name="Lock Feet", description="Keep feet that stand from sliding in every motion that is kept"
    )
    reduce_keys: BoolProperty(
        name="Reduce Keys", description="Leave as few keys as hold the motion in every one that is kept"
    )
    tolerance: FloatProperty(
        name="Tolerance (mm)",
        description="How far a joint may be from where it was when keys are reduced, in millimetres",
        default=5.0,
        min=0.1,
        max=100.0,
        soft_max=20.0,
        precision=1,
    )
    interpolation: EnumProperty(
        name="Interpolation",
        description="How a motion goes from key to key when keys are reduced",
        items=INTERPOLATIONS,
    )
