"""In-betweening: the engine fills the frames between poses that are keyed, to a prompt."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _

from . import block_motion, storyboard
from .kept_keys import Stretch
from .planning import CONTEXT_SECONDS, base_of, carried, read, without_loop
from .playing import INFINITY, playing
from .request import REACH_SECONDS, Given, Part, Request, UserError


def span(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> tuple[int, int]:
    """From the first to the last selected key; without a choice, from the key before the playhead to the one after.

    Raises UserError.
    """
    source = playing(obj, scene.frame_current)
    if obj is None or source is None:
        raise UserError("The character has no keys; key at least two poses, then fill what is between them")
    chosen = source.keys(obj, selected=True)
    keys = source.keys(obj)
    if 1 < len(chosen) < len(keys):
        return chosen[0], chosen[-1]
    before = [frame for frame in keys if frame <= scene.frame_current]
    after = [frame for frame in keys if frame > scene.frame_current]
    if not before or not after:
        raise UserError("There is no key on both sides of the current frame; select the keys to fill between")
    return before[-1], after[0]


def between(
    scene: bpy.types.Scene,
    obj: bpy.types.Object | None,
    first: int,
    last: int,
    prompt: str,
    seed: int,
    given: str = "POSES",
) -> Request:
    """Frames first to last anew, except for what is given.

    given: "POSES", the keyed frames among them, or "MOTION", the motion that leads up to the first and away from the
    last. Raises UserError.
    """
    if obj is not None:
        block_motion.follow(scene, obj)
    source = playing(obj, first)
    keys = source.keys(obj) if obj is not None and source is not None else []
    if obj is None or source is None or not keys:
        raise UserError("The character has no keys; key at least two poses, then fill what is between them")
    if last <= first + 1:
        raise UserError(_("There is nothing to fill between frame {} and frame {}").format(first, last))
    low, high = first, last
    if given == "POSES":
        frames = [frame for frame in keys if first <= frame <= last]
        if not frames:
            raise UserError(
                _("No pose is keyed from frame {} to {}; key one, or choose other frames").format(first, last)
            )
    else:
        context = round(CONTEXT_SECONDS * storyboard.rate(scene))
        low, high = min(first, max(keys[0], first - context)), max(last, min(keys[-1], last + context))
        frames = [*range(low, first + 1), *range(last, high + 1)]
    made = np.ones(high - low + 1, bool)
    made[np.array(frames) - low] = False
    if not made.any():
        raise UserError(
            _("Every frame from {} to {} has a key; delete the keys of the gap first").format(first, last)
        )
    poses = [Stretch(frame, frame) for frame in frames if first < frame < last]
    ends = [
        Stretch(-INFINITY, first if first in frames else first - 1),
        Stretch(last if last in frames else last + 1, INFINITY),
    ]
    fps = storyboard.rate(scene)
    return Request(
        prompt.strip()[:60],
        (Part(prompt, high - low + 1, seed),),
        low,
        max(1, round(REACH_SECONDS * fps)),
        without_loop(scene),
        None,
        Given(np.array(frames) - low, read(scene, obj, source, frames)),
        made,
        base_of(obj, source, [ends[0], *poses, ends[1]]),
        carried(scene, source),
    )
