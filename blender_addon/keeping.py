"""What becomes of a motion that is kept: the blocks know it, and it may become a strip of the NLA."""

from __future__ import annotations

import bpy

from . import action_api
from .request import Request

TRACK = "KMM"


def note(scene: bpy.types.Scene, request: Request, action: bpy.types.Action, take: int) -> None:
    """Let the storyboard's blocks know where their motion is, and which seed made it."""
    if _all_anew(scene, request):
        scene.kmm.frame_start = request.places[0].start
    blocks = {block.uid: block for block in scene.kmm.blocks}
    for place in request.places:
        block = blocks.get(place.block)
        if block is not None:
            block.action, block.made_start, block.made_frames = action, place.start, place.frames
            if place.seed is not None:
                block.seed = place.seed + take


def kept(scene: bpy.types.Scene, action: bpy.types.Action) -> bool:
    """Whether a motion was kept; undo can give back how it was before that.

    Until then a generation's action has no fake user, and no block knows it.
    """
    return action.use_fake_user or any(block.action == action for block in scene.kmm.blocks)


def _all_anew(scene: bpy.types.Scene, request: Request) -> bool:
    """Whether the whole storyboard was made, wherever it was put."""
    made = [place.block for place in request.places if place.seed is not None]
    return bool(made) and made == [block.uid for block in scene.kmm.blocks]


def to_strip(
    obj: bpy.types.Object, action: bpy.types.Action, before: bpy.types.Action | None, slot: str
) -> None:
    """Move the object's action to a strip on top of its NLA, at full influence and where its keys are.

    before: the action that it had until then, in the slot of this identifier. It is on the object again, or, as it
    would hide the strip, becomes a strip below.
    """
    animation = obj.animation_data_create()
    made = action_api.slot_for(action, obj) if action_api.LAYERED else None
    keyed = _paths(obj, action)
    if animation.action == action:
        animation.action = None
        if before is not None:
            action_api.put_back(obj, before, slot)
    worn = animation.action  # by now the user may have chosen another one
    if worn is not None and animation.action_blend_type == "REPLACE" and keyed & _paths(obj, worn):
        below = _add_strip(animation, worn.name, worn, action_api.slot_for(worn, obj) if made else None)
        below.extrapolation = animation.action_extrapolation
        if animation.action_influence < 1:
            below.use_animated_influence, below.influence = True, animation.action_influence
        animation.action = None
    _add_strip(animation, TRACK, action, made)


def _paths(obj: bpy.types.Object, action: bpy.types.Action) -> set[tuple[str, int]]:
    curves = action_api.curves_of(action, obj)
    return {(c.data_path, c.array_index) for c in curves if len(c.keyframe_points)}


def _add_strip(
    animation: bpy.types.AnimData, name: str, action: bpy.types.Action, slot: object
) -> bpy.types.NlaStrip:
    """On a new track on top, where the action's keys are."""
    first, last = action.frame_range
    track = animation.nla_tracks.new()
    track.name = name
    strip = track.strips.new(action.name, int(first), action)
    if action_api.LAYERED:
        strip.action_slot = slot
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.influence = 1.0
    return strip
