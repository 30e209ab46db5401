"""From one armature to another, and from clips: what the operators and scripts call.

Nothing but the target's animation changes.
"""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_rpt as _
from kmm.clip import Clip
from kmm.retarget import BoneMap, Options

from . import maps, reading, rigs
from .writing import FromClips, Target, check_can_be_keyed, write


def retarget_action(
    source: bpy.types.Object,
    target: bpy.types.Object,
    *,
    action: bpy.types.Action | None = None,
    source_map: BoneMap | None = None,
    target_map: BoneMap | None = None,
    options: Options | None = None,
    frames: tuple[int, int] | None = None,
    name: str | None = None,
) -> bpy.types.Action:
    """The motion of one armature as a new action on another, at the same frames.

    action: of the source; None for all that animates it now. source_map, target_map: None for the one that fits the
    bones' names, or a confident guess. frames: first and last; None for the action's own. name: of the new action.
    Only mapped bones are keyed. The target's former action stays in the file. Raises ValueError with a sentence for
    people.
    """
    if source.type != "ARMATURE":
        raise ValueError(_("{} is not an armature").format(source.name))
    if source == target:
        raise ValueError(
            _("{} cannot be retargeted to itself; choose another armature as target").format(source.name)
        )
    check_can_be_keyed(target)
    first, last = frames or reading.frame_range(source, action)
    if last < first:
        raise ValueError(_("The last frame, {}, is before the first, {}").format(last, first))
    rig = rigs.read(source)
    source_map = source_map or rigs.bone_map(source, rig, maps.own(), moves=True)
    made = Target(target, rig, source_map, target_map, options)
    values = made(*reading.poses(source, action, rig, made.source_bones, range(first, last + 1)))
    worn = action or (source.animation_data.action if source.animation_data else None)
    called = (worn or source).name.removesuffix(f" ({source.name})")
    return write(target, made, values, first, name or f"{called} ({target.name})")


def retarget_clip(
    clip: Clip,
    target: bpy.types.Object,
    *,
    target_map: BoneMap | None = None,
    options: Options | None = None,
    first_frame: int = 1,
    name: str | None = None,
) -> bpy.types.Action:
    """A clip as a new action on an armature, one key a frame of the clip: resample it to the scene's rate before.

    The rest is as in `retarget_action`. Raises ValueError.
    """
    made = FromClips(target, target_map, options)
    prompt = clip.segments[0].prompt if clip.segments else "motion"
    return write(target, made, made(clip), first_frame, name or f"{prompt} ({target.name})")
