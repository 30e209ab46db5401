"""From the scene to a request: the whole storyboard, one block anew, or what comes after the last key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm.clip import FPS, Clip

from . import action_api, block_motion, reading, storyboard
from .kept_keys import Stretch
from .limits import taken_up
from .performer import performer_for
from .placing import Start
from .playing import INFINITY, Playing, playing, playing_action, plays
from .request import Base, Given, Options, Part, Place, Request, UserError, single

CONTEXT_SECONDS = 2.0  #: of the motion around what is made, for the engine to go on from and to end in
LEAD_SECONDS = 0.5  #: in which new motion may be led over from what was there, where all that follows is new


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
    options = Options.of(scene)
    if not locked:
        start = _where_it_stands(scene, obj, limits[0]) if settings.place == "HERE" else None
        near = transition(scene, blocks[-1])  # of a loop, whose end is bent
        return Request(_name(blocks), parts, limits[0], near, options, start, places=places)
    if len(locked) == len(blocks):
        raise UserError("All blocks are locked; unlock one to generate it anew")
    source = _source(scene, obj, locked[0])
    made = np.ones(limits[-1] - limits[0], bool)
    stretches, poses = [], []
    for i in locked:
        block, count = blocks[i], parts[i].frames
        if count != block.made_frames or block.action != source.action:
            raise UserError(
                _("Block {} is locked, but its length has changed; unlock it or set it back").format(i + 1)
            )
        made[limits[i] - limits[0] : limits[i + 1] - limits[0]] = False
        start = block.made_start + source.shift
        stretches.append(Stretch(start, start + count - 1, limits[i] - start))
        poses.append(read(scene, obj, source, range(start, start + count)))
    old = carried(scene, source)
    low = min([limits[0], *(place.start for place in old)])
    high = max([limits[-1], *(place.start + place.frames for place in old)])
    stretches += [Stretch(-INFINITY, low - 1), Stretch(high, INFINITY)]
    return Request(
        _name(blocks),
        parts,
        limits[0],
        max(1, *(transition(scene, blocks[i]) for i in _beside(locked, len(blocks)))),
        options,
        given=Given(np.flatnonzero(~made), _joined(poses)),
        made=made,
        base=base_of(obj, source, stretches),
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
    source = _source(scene, obj, index)
    first = this.made_start + source.shift
    stop = first + this.made_frames
    same = [b for b in blocks if b.action == this.action and b.made_frames]
    left = next((b for b in same if b.made_start + b.made_frames == this.made_start), None)
    right = next((b for b in same if b.made_start == this.made_start + this.made_frames), None)
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
        given = Given(frames, read(scene, obj, source, (frames + low).tolist()))
    else:
        start = Start.of(read(scene, obj, source, [first]))
    return Request(
        _name(blocks),
        tuple(parts),
        low,
        max(1, near),
        without_loop(scene),
        start,
        given,
        made,
        base_of(obj, source, [Stretch(-INFINITY, begin - 1), Stretch(end, INFINITY)]),
        (*carried(scene, source), Place(this.uid, first, this.made_frames, seed)),
    )


def carried(scene: bpy.types.Scene, source: Playing) -> tuple[Place, ...]:
    """The blocks whose motion is in the action, as they are in a copy of it."""
    return tuple(
        Place(b.uid, b.made_start + source.shift, b.made_frames)
        for b in scene.kmm.blocks
        if b.action == source.action and b.made_frames
    )


def _source(scene: bpy.types.Scene, obj: bpy.types.Object | None, index: int) -> Playing:
    """Where a block's motion plays, on this very character. Raises UserError."""
    if obj is None:
        raise UserError("The character of this motion is gone; generate the storyboard again")
    action = scene.kmm.blocks[index].action
    source = playing_action(obj, action)
    if source is None:
        other = next((o for o in scene.objects if plays(o, action)), None)
        if other is not None:
            raise UserError(_("Block {} was made for {}; select it first").format(index + 1, other.name))
        raise UserError(
            _(
                'The action "{}" of block {} is not on {}; put it back, or generate the storyboard again'
            ).format(action.name, index + 1, obj.name)
        )
    block_motion.follow(scene, obj)
    return source


def _continued(scene: bpy.types.Scene, obj: bpy.types.Object | None, limits: Sequence[int]) -> Request:
    """After the character's last key, going on from the motion before it."""
    if obj is not None:
        block_motion.follow(scene, obj)
    blocks, source = list(scene.kmm.blocks), playing(obj, INFINITY)
    keys = source.keys(obj) if obj is not None and source is not None else []
    if obj is None or source is None or not keys:
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
        Given(np.arange(context), read(scene, obj, source, range(first, keys[-1] + 1))),
        made,
        base_of(obj, source, [Stretch(-INFINITY, keys[-1])]),
        tuple(places),
    )


def _beside(locked: Sequence[int], count: int) -> list[int]:
    """Of so many blocks those next to a locked one. The engine takes one transition for all their seams."""
    return [i for i in range(count) if i not in locked and {i - 1, i + 1} & set(locked)]


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


def base(
    obj: bpy.types.Object, action: bpy.types.Action, stretches: Iterable[Stretch], shift: int = 0
) -> Base:
    slot = action_api.slot_for(action, obj) if action_api.LAYERED else None
    return Base(action.session_uid, "" if slot is None else slot.identifier, tuple(stretches), shift)


def base_of(obj: bpy.types.Object, source: Playing, stretches: Iterable[Stretch]) -> Base:
    """What plays, with these stretches of the timeline, as it is to lie in a new action."""
    return base(obj, source.action, source.stretches(stretches), source.shift)


def read(
    scene: bpy.types.Scene,
    obj: bpy.types.Object | None,
    source: Playing | None,
    frames: Sequence[int] | range,
) -> Clip:
    """Poses of the character at frames of the timeline; without a source, as it is posed now. Raises UserError."""
    if obj is None:
        raise UserError("The character of this motion is gone; generate the storyboard again")
    action = source.action if source is not None else None
    at = frames if source is None else [source.at(frame) for frame in frames]
    found = reading.motion(obj, performer_for(obj), action, at, storyboard.rate(scene))
    if found is None:
        raise UserError(
            _("The motion of {} cannot be read back; use a KMM character for this").format(obj.name)
        )
    return found


def _where_it_stands(scene: bpy.types.Scene, obj: bpy.types.Object | None, frame: int) -> Start | None:
    return None if obj is None else Start.of(read(scene, obj, playing(obj, frame), [frame]))


def _joined(clips: Sequence[Clip]) -> Clip:
    return Clip(
        np.concatenate([clip.translation for clip in clips]),
        np.concatenate([clip.rotations for clip in clips]),
        clips[0].fps,
    )
