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


def to_strip(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Move the object's action to a strip on top of its NLA, at full influence and where its keys are."""
    animation = obj.animation_data_create()
    first, last = action.frame_range
    track = animation.nla_tracks.new()
    track.name = TRACK
    animation.action = None
    strip = track.strips.new(action.name, int(first), action)
    if action_api.LAYERED:
        strip.action_slot = action_api.slot_for(action, obj)
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.influence = 1.0
