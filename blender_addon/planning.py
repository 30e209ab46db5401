"""From the scene to a request: the whole storyboard, one block anew, or what comes after the last key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm.clip import FPS, Clip

from . import action_api, reading, storyboard
from .kept_keys import Stretch
from .limits import taken_up
from .performer import performer_for
from .placing import Start
from .request import Base, Given, Options, Part, Place, Request, UserError, single

CONTEXT_SECONDS = 2.0  #: of the motion around what is made, for the engine to go on from and to end in
LEAD_SECONDS = 0.5  #: in which new motion may be led over from what was there, where all that follows is new
INFINITY = float("inf")


def whole(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> Request:
    """The storyboard, without the locked blocks that have a motion. Raises UserError."""
    settings = scene.kmm
    blocks = list(settings.blocks)
    if not blocks:
        raise UserError("The storyboard is empty; add a block and say what the character should do")
    limits = storyboard.block_limits(scene)
    locked = [i for i, block in enumerate(blocks) if block.locked and block.made_frames and block.action]
    if settings.place == "CONTINUE":
        if locked:
            raise UserError("Locked blocks stay where they are; unlock them, or choose another start")
        return _continued(scene, obj, limits)
    parts = _parts(blocks, limits)
    places = tuple(
        Place(block.uid, start, part.frames, None if i in locked else block.seed)
        for i, (block, part, start) in enumerate(zip(blocks, parts, limits[:-1], strict=True))
    )
    options, near = Options.of(scene), transition(scene, blocks[0])
    if not locked:
        start = _where_it_stands(scene, obj, limits[0]) if settings.place == "HERE" else None
        return Request(_name(blocks), parts, limits[0], near, options, start, places=places)
    if len(locked) == len(blocks):
        raise UserError("All blocks are locked; unlock one to generate it anew")
    made = np.ones(limits[-1] - limits[0], bool)
    stretches, poses = [], []
    for i in locked:
        block, count = blocks[i], parts[i].frames
        if count != block.made_frames or block.action != blocks[locked[0]].action:
            raise UserError(
                _("Block {} is locked, but its length has changed; unlock it or set it back").format(i + 1)
            )
        made[limits[i] - limits[0] : limits[i + 1] - limits[0]] = False
        end = block.made_start + count - 1
        stretches.append(Stretch(block.made_start, end, limits[i] - block.made_start))
        poses.append(read(scene, obj, block.action, range(block.made_start, end + 1)))
    action = blocks[locked[0]].action
    old = [b for b in blocks if b.action == action and b.made_frames]
    low = min([limits[0], *(b.made_start for b in old)])
    high = max([limits[-1], *(b.made_start + b.made_frames for b in old)])
    stretches += [Stretch(-INFINITY, low - 1), Stretch(high, INFINITY)]
    return Request(
        _name(blocks),
        parts,
        limits[0],
        max(1, near),
        options,
        given=Given(np.flatnonzero(~made), _joined(poses)),
        made=made,
        base=base(obj, action, stretches),
        places=places,
    )


def one(
    scene: bpy.types.Scene, obj: bpy.types.Object | None, prompt: str, seconds: float, seed: int
) -> Request:
    """One prompt from the current frame on, without the storyboard. Raises UserError."""
    request = single(scene, prompt, seconds, seed, Options.of(scene))
    if scene.kmm.place == "HERE":
        request = replace(request, start=_where_it_stands(scene, obj, request.first_frame))
    return request


def block(
    scene: bpy.types.Scene, obj: bpy.types.Object | None, index: int, new_seed: bool = False
) -> Request:
    """One block anew, in its place between its neighbours, with its seed or the next. Raises UserError."""
    blocks = list(scene.kmm.blocks)
    if not 0 <= index < len(blocks):
        raise UserError(_("There is no block {} in the storyboard").format(index + 1))
    this = blocks[index]
    if not this.made_frames or this.action is None:
        raise UserError(_("Block {} has no motion yet; generate the storyboard first").format(index + 1))
    if this.locked:
        raise UserError(_("Block {} is locked; unlock it first").format(index + 1))
    limits = storyboard.block_limits(scene)
    if limits[index + 1] - limits[index] != this.made_frames:
        raise UserError(
            _("The length of block {} has changed since; generate the storyboard again").format(index + 1)
        )
    first, stop = this.made_start, this.made_start + this.made_frames
    same = [b for b in blocks if b.action == this.action and b.made_frames]
    left = next((b for b in same if b.made_start + b.made_frames == first), None)
    right = next((b for b in same if b.made_start == stop), None)
    seed = this.seed + new_seed
    near, context = transition(scene, this), round(CONTEXT_SECONDS * storyboard.rate(scene))
    parts, low, high = [Part(this.prompt, this.made_frames, seed)], first, stop
    begin, end = first, stop  # of what is made
    if left is not None:
        low = first - min(context, left.made_frames)
        parts.insert(0, Part(left.prompt, first - low, left.seed))
        begin = first if left.locked else first - min(near, (first - low) // 2)
    if right is not None:
        high = stop + min(context, right.made_frames)
        parts.append(Part(right.prompt, high - stop, right.seed))
        end = stop if right.locked else stop + min(near, (high - stop) // 2)
    made = np.zeros(high - low, bool)
    made[begin - low : end - low] = True
    frames = np.flatnonzero(~made)
    given, start = None, None
    if len(frames):
        given = Given(frames, read(scene, obj, this.action, (frames + low).tolist()))
    else:
        start = Start.of(read(scene, obj, this.action, [first]))
    return Request(
        _name(blocks),
        tuple(parts),
        low,
        max(1, near),
        without_loop(scene),
        start,
        given,
        made,
        base(obj, this.action, [Stretch(-INFINITY, begin - 1), Stretch(end, INFINITY)]),
        (*carried(scene, this.action), Place(this.uid, first, this.made_frames, seed)),
    )


def carried(scene: bpy.types.Scene, action: bpy.types.Action) -> tuple[Place, ...]:
    """The blocks whose motion is in the action, as they are in a copy of it."""
    return tuple(
        Place(b.uid, b.made_start, b.made_frames)
        for b in scene.kmm.blocks
        if b.action == action and b.made_frames
    )


def action_of(obj: bpy.types.Object | None) -> bpy.types.Action | None:
    """The action that the character has, else the one of its topmost strip."""
    animation = obj.animation_data if obj is not None else None
    if animation is None:
        return None
    if animation.action is not None:
        return animation.action
    strips = [strip for track in animation.nla_tracks for strip in track.strips if strip.action is not None]
    return strips[-1].action if strips else None


def _continued(scene: bpy.types.Scene, obj: bpy.types.Object | None, limits: Sequence[int]) -> Request:
    """After the character's last key, going on from the motion before it."""
    blocks, action = list(scene.kmm.blocks), action_of(obj)
    keys = reading.key_frames(obj, action) if obj is not None and action is not None else []
    if not keys:
        raise UserError("The character has no keys to go on from; choose another start")
    rate = storyboard.rate(scene)
    context = min(round(CONTEXT_SECONDS * rate), keys[-1] - keys[0] + 1)
    context = taken_up(context, engine_ratio(scene))
    first = keys[-1] - context + 1
    made = np.ones(context + limits[-1] - limits[0], bool)
    made[:context] = False
    shift = keys[-1] + 1 - limits[0]
    parts = _parts(blocks, limits)
    places = [
        Place(b.uid, limit + shift, part.frames, b.seed)
        for b, part, limit in zip(blocks, parts, limits[:-1], strict=True)
    ]
    return Request(
        _name(blocks),
        (Part(blocks[0].prompt, context, blocks[0].seed), *parts),
        first,
        max(transition(scene, blocks[0]), round(LEAD_SECONDS * rate)),
        without_loop(scene),
        None,
        Given(np.arange(context), read(scene, obj, action, range(first, keys[-1] + 1))),
        made,
        base(obj, action, [Stretch(-INFINITY, keys[-1])]),
        tuple(places),
    )


def _parts(blocks: Sequence[storyboard.KMM_Block], limits: Sequence[int]) -> tuple[Part, ...]:
    return tuple(
        Part(block.prompt, stop - start, block.seed)
        for block, start, stop in zip(blocks, limits[:-1], limits[1:], strict=True)
    )


def _name(blocks: Sequence[storyboard.KMM_Block]) -> str:
    return blocks[0].prompt.strip()[:60]


def transition(scene: bpy.types.Scene, block: storyboard.KMM_Block) -> int:
    """Frames on each side of a block that may change with it."""
    return round(block.transition * storyboard.rate(scene))


def engine_ratio(scene: bpy.types.Scene) -> float:
    """Frames of the engine in one of the scene."""
    return FPS * scene.kmm.speed / storyboard.rate(scene)


def without_loop(scene: bpy.types.Scene) -> Options:
    """A part of a motion is no loop."""
    return replace(Options.of(scene), loop=False)


def base(obj: bpy.types.Object, action: bpy.types.Action, stretches: Sequence[Stretch]) -> Base:
    slot = action_api.slot_for(action, obj) if action_api.LAYERED else None
    return Base(action.session_uid, "" if slot is None else slot.identifier, tuple(stretches))


def read(
    scene: bpy.types.Scene,
    obj: bpy.types.Object | None,
    action: bpy.types.Action | None,
    frames: Sequence[int] | range,
) -> Clip:
    """Poses of the character at the frames. Raises UserError."""
    if obj is None:
        raise UserError("The character of this motion is gone; generate the storyboard again")
    found = reading.motion(obj, performer_for(obj), action, frames, storyboard.rate(scene))
    if found is None:
        raise UserError(
            _("The motion of {} cannot be read back; use a KMM character for this").format(obj.name)
        )
    return found


def _where_it_stands(scene: bpy.types.Scene, obj: bpy.types.Object | None, frame: int) -> Start | None:
    return None if obj is None else Start.of(read(scene, obj, action_of(obj), [frame]))


def _joined(clips: Sequence[Clip]) -> Clip:
    return Clip(
        np.concatenate([clip.translation for clip in clips]),
        np.concatenate([clip.rotations for clip in clips]),
        clips[0].fps,
    )
