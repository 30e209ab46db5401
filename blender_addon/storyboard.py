"""The storyboard: blocks of prompts with durations, one after the other, as the scene holds them."""

from __future__ import annotations

import uuid

import bpy
from bpy.app.handlers import persistent
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import markers
from .limits import limits

FIRST_PROMPT = "a person walks forward"
MARKS = 8  #: by which a block's motion is known again
OWNER = object()  #: of the subscriptions to the frame rate


def _changed(block: KMM_Block, context: bpy.types.Context) -> None:
    scene = block.id_data
    markers.update(scene, boundaries(scene))


def _unit_changed(block: KMM_Block, context: bpy.types.Context) -> None:
    """Carry the length over, so that choosing the other unit changes nothing else."""
    fps = rate(block.id_data)
    if block.unit == "FRAMES":
        block.frames = max(1, round(block.seconds * fps))
    else:
        block.seconds = block.frames / fps


class KMM_Block(bpy.types.PropertyGroup):
    """One prompt and how long it lasts; and, once made, where its motion is."""

    prompt: StringProperty(
        name="Prompt",
        description="What the character does, in plain English: a person walks and turns left",
        default=FIRST_PROMPT,
        maxlen=512,
        update=_changed,
    )
    unit: EnumProperty(
        name="Length in",
        description="What stays when the scene's frame rate is changed",
        items=(
            ("SECONDS", "Seconds", "The block lasts as long at any frame rate"),
            ("FRAMES", "Frames", "The block has as many frames at any frame rate"),
        ),
        update=_unit_changed,
    )
    seconds: FloatProperty(
        name="Duration",
        description="Length of the block",
        default=4.0,
        min=0.01,
        max=3600.0,
        soft_min=1.0,
        soft_max=20.0,
        step=50,
        precision=3,
        unit="TIME_ABSOLUTE",
        update=_changed,
    )
    frames: IntProperty(
        name="Frames",
        description="Length of the block in frames of the scene",
        default=96,
        min=1,
        max=1_000_000,
        update=_changed,
    )
    seed: IntProperty(
        name="Seed",
        description="The same prompt, duration and seed give the same motion; another seed gives another take",
        default=1,
        min=0,
    )
    locked: BoolProperty(
        name="Lock",
        description="Never change this block's motion: what is generated around it joins on to it",
    )
    transition: FloatProperty(
        name="Transition",
        description="How much of the motion may be bent on each side of a seam, where this block is made anew and "
        "meets motion that stays. Blocks that are made together join by themselves; if several are made beside "
        "locked ones, the longest of theirs counts for all",
        default=0.3,
        min=0.0,
        max=2.0,
        step=10,
        precision=2,
        unit="TIME_ABSOLUTE",
    )
    uid: StringProperty(options={"HIDDEN"})  # stays when blocks are moved
    action: PointerProperty(type=bpy.types.Action, options={"HIDDEN"})
    made_start: IntProperty(options={"HIDDEN"})
    made_frames: IntProperty(options={"HIDDEN"})  # 0: not made yet
    marks: FloatVectorProperty(size=3 * MARKS, options={"HIDDEN"})  # see `block_motion`; zeros: none


def rate(scene: bpy.types.Scene) -> float:
    """The scene's frames per second."""
    return scene.render.fps / scene.render.fps_base


def length(block: KMM_Block, fps: float) -> float:
    """The block's length in frames at `fps`, fractional where its seconds are."""
    return float(block.frames) if block.unit == "FRAMES" else round(block.seconds, 5) * fps


def block_limits(scene: bpy.types.Scene) -> list[int]:
    """The n + 1 limits of the n blocks in frames of the scene; block i is [limits[i], limits[i + 1])."""
    settings, fps = scene.kmm, rate(scene)
    return [settings.frame_start + at for at in limits(length(b, fps) for b in settings.blocks)]


def boundaries(scene: bpy.types.Scene) -> list[tuple[int, str]]:
    """Frame and name for each marker: where every block begins, and where the last one ends."""
    blocks = scene.kmm.blocks
    if len(blocks) < 2:  # one block has no boundary
        return []
    return list(zip(block_limits(scene), [*(b.prompt for b in blocks), "End"], strict=True))


def add(scene: bpy.types.Scene, at: int | None = None) -> KMM_Block:
    """A new block at the end, or at a place; it becomes the active one."""
    settings = scene.kmm
    settings.blocks.add().uid = uuid.uuid4().hex
    last = len(settings.blocks) - 1
    at = last if at is None else at
    settings.blocks.move(last, at)
    settings.active_block = at
    return settings.blocks[at]


def copy(source: KMM_Block, target: KMM_Block) -> None:
    """What a block says, not what was made of it."""
    for name in ("prompt", "unit", "seconds", "frames", "seed", "transition"):
        setattr(target, name, getattr(source, name))


def split(scene: bpy.types.Scene, first: KMM_Block, second: KMM_Block, at: int, frames: int) -> None:
    """Give the second block what the first has from frame `at` of its `frames` on; a motion that is there as well.

    Seconds stay seconds: together they are as long as before.
    """
    copy(first, second)
    first.marks = second.marks = [0.0] * len(first.marks)
    second.locked = first.locked
    if first.unit == "FRAMES":
        first.frames, second.frames = at, frames - at
    else:
        seconds = at / rate(scene)
        first.seconds, second.seconds = seconds, first.seconds - seconds
    if first.made_frames == frames:
        second.action, second.made_start = first.action, first.made_start + at
        first.made_frames, second.made_frames = at, frames - at
    else:
        first.made_frames = second.made_frames = 0


def ensure_first_block(scene: bpy.types.Scene) -> None:
    """A storyboard starts with one block, ready to be written on."""
    if not scene.kmm.blocks and scene.library is None:
        add(scene)


def _rate_changed() -> None:
    for scene in bpy.data.scenes:
        if scene.library is None:
            markers.update(scene, boundaries(scene))


def _ensure_all() -> None:
    for scene in bpy.data.scenes:
        ensure_first_block(scene)


@persistent
def _after_load(*_: object) -> None:
    _ensure_all()
    bpy.msgbus.clear_by_owner(OWNER)  # Blender forgets subscriptions when a file is opened
    for name in ("fps", "fps_base"):
        bpy.msgbus.subscribe_rna(
            key=(bpy.types.RenderSettings, name), owner=OWNER, args=(), notify=_rate_changed
        )


def register() -> None:
    bpy.app.handlers.load_post.append(_after_load)
    bpy.app.timers.register(
        _after_load, first_interval=0.0
    )  # while add-ons are enabled no data can be reached


def unregister() -> None:
    if bpy.app.timers.is_registered(_after_load):
        bpy.app.timers.unregister(_after_load)
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.msgbus.clear_by_owner(OWNER)
