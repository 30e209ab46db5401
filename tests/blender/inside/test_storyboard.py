"""The storyboard: its limits, its blocks, its markers."""

from __future__ import annotations

import importlib
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.protocol import Done, Frames, PromptSegment

from .helpers import curves, frames_of, joint_positions, motion_of
from .install import PACKAGE

asking, limits, storyboard = (
    importlib.import_module(f"{PACKAGE}.{name}") for name in ("asking", "limits", "storyboard")
)

RATES = [(24, 1.0), (25, 1.0), (30, 1.0), (30, 1.001), (60, 1.0), (12, 1.0), (120, 1.0)]
seconds = st.integers(1, 3000).map(lambda hundredths: hundredths / 100)


def board(scene: bpy.types.Scene, *blocks: tuple[str, float]) -> None:
    """A storyboard of these prompts and seconds."""
    while scene.kmm.blocks:
        bpy.ops.kmm.block_remove(index=0)
    for number, (prompt, length) in enumerate(blocks):
        bpy.ops.kmm.block_add(prompt=prompt)
        block = scene.kmm.blocks[scene.kmm.active_block]
        block.seconds, block.seed = length, number + 1


def told(scene: bpy.types.Scene) -> list[tuple[str, float, int]]:
    return [(b.prompt, round(b.seconds, 3), b.seed) for b in scene.kmm.blocks]


@given(lengths=st.lists(seconds, min_size=1, max_size=40), rate=st.sampled_from(RATES))
def test_limits_are_within_half_a_frame_of_their_time(lengths: list[float], rate: tuple[int, float]) -> None:
    """However many blocks there are: no error adds up. Only where blocks are shorter than a frame they give way."""
    fps = rate[0] / rate[1]
    found = limits.limits(length * fps for length in lengths)
    assert found[0] == 0 and all(a < b for a, b in pairwise(found))
    if min(lengths) * fps >= 1:
        assert np.abs(np.array(found[1:]) - np.cumsum(lengths) * fps).max() <= 0.5 + 1e-3


@given(
    counts=st.lists(st.integers(1, 300), min_size=1, max_size=20),
    where=st.integers(0, 19),
    length=seconds,
    rate=st.sampled_from(RATES),
)
def test_a_block_in_frames_has_exactly_those(
    counts: list[int], where: int, length: float, rate: tuple[int, float]
) -> None:
    """Also after a block whose seconds are no whole frames."""
    lengths: list[float] = list(counts)
    where %= len(lengths)
    lengths[where] = max(1.0, length * rate[0] / rate[1])
    found = [b - a for a, b in pairwise(limits.limits(lengths))]
    assert [n for i, n in enumerate(found) if i != where] == [n for i, n in enumerate(counts) if i != where]


@given(
    counts=st.lists(st.integers(1, 300), min_size=1, max_size=20),
    rate=st.sampled_from(RATES),
    speed=st.sampled_from([0.5, 1.0, 1.7]),
)
def test_the_engine_makes_what_the_frames_need(
    counts: list[int], rate: tuple[int, float], speed: float
) -> None:
    """No fewer frames than the last of the scene's needs and none too many; limits at their own time."""
    ratio = 30 * speed * rate[1] / rate[0]
    ends = np.cumsum([0, *counts]).tolist()
    found = limits.engine_counts(ends, ratio)
    assert min(found) >= 0 and len(found) == len(counts)
    assert -1e-9 <= sum(found) - 1 - (ends[-1] - 1) * ratio < 1
    for stop, made in zip(ends[1:-1], np.cumsum(found), strict=False):
        assert abs(made - stop * ratio) <= 0.5 + max(0.0, stop * ratio - sum(found)) + 1e-9


@given(frames=st.integers(1, 300), rate=st.sampled_from(RATES), speed=st.sampled_from([0.5, 1.0, 1.7]))
def test_the_engine_takes_up_all_that_leads_to_a_seam(
    frames: int, rate: tuple[int, float], speed: float
) -> None:
    """What is given ends with a whole token of the engine, and is nearly all that could be given."""
    ratio = 30 * speed * rate[1] / rate[0]
    count = limits.taken_up(frames, ratio)
    assert 1 <= count <= frames
    poses = Clip(np.zeros((count, 3)), np.tile(rot.IDENTITY, (count, 22, 1)))
    found = asking.at_engine_frames(np.arange(count), poses, ratio, 10_000)
    whole = len(found.frames) % 4 == 0 and found.frames[-1] == len(found.frames) - 1
    assert whole or count == frames
    assert count > 3 * frames // 4
    if speed == 1.0 and frames >= 40:
        assert whole or rate[0] in (12, 120)
        # at 24 fps a whole token ends with a frame of the scene every 16 frames: a quarter of 64
        if rate in ((24, 1.0), (30, 1.0), (60, 1.0)) and frames >= 64:
            assert (count - 1) * ratio == found.frames[-1]  # the very moment


def test_a_new_file_has_one_block(scene: bpy.types.Scene) -> None:
    assert told(scene) == [("a person walks forward", 4.0, 1)]
    assert not scene.timeline_markers


def test_blocks_are_written_moved_split_and_doubled(scene: bpy.types.Scene) -> None:
    board(scene, ("walk", 2.0), ("turn", 1.0), ("sit", 3.0))
    assert told(scene) == [("walk", 2.0, 1), ("turn", 1.0, 2), ("sit", 3.0, 3)]
    bpy.ops.kmm.block_move(index=2, direction="UP")
    assert [b.prompt for b in scene.kmm.blocks] == ["walk", "sit", "turn"] and scene.kmm.active_block == 1
    bpy.ops.kmm.block_duplicate(index=0)
    assert [b.prompt for b in scene.kmm.blocks] == ["walk", "walk", "sit", "turn"]
    assert scene.kmm.blocks[0].uid != scene.kmm.blocks[1].uid
    before = storyboard.block_limits(scene)
    scene.frame_set(before[2] + 20)
    bpy.ops.kmm.block_split(index=2)
    after = storyboard.block_limits(scene)
    assert after == [*before[:3], before[2] + 20, *before[3:]]
    bpy.ops.kmm.block_split(index=0)  # the playhead is elsewhere: in the middle
    assert storyboard.block_limits(scene) == [1, 31, *after[1:]]
    bpy.ops.kmm.block_prompt(index=0, prompt="run")
    bpy.ops.kmm.block_remove(index=1)
    assert [b.prompt for b in scene.kmm.blocks] == ["run", "walk", "sit", "sit", "turn"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bpy.ops.kmm.block_move(index=0, direction="UP"), "end of the storyboard"),
        (lambda: bpy.ops.kmm.block_remove(index=7), "no block 8"),
        (lambda: bpy.ops.kmm.block_split(index=0), "one frame"),
    ],
)
def test_what_cannot_be_done_is_said(scene: bpy.types.Scene, call: object, words: str) -> None:
    scene.kmm.blocks[0].unit = "FRAMES"
    scene.kmm.blocks[0].frames = 1
    before = told(scene)
    with pytest.raises(RuntimeError, match=words):
        call()
    assert told(scene) == before


def test_seconds_or_frames_stay_when_the_rate_changes(scene: bpy.types.Scene) -> None:
    board(scene, ("walk", 2.5), ("turn", 1.0), ("sit", 3.0))
    scene.kmm.blocks[1].unit = "FRAMES"  # the length is carried over
    assert scene.kmm.blocks[1].frames == 30
    assert storyboard.block_limits(scene) == [1, 76, 106, 196]
    scene.render.fps = 24
    assert storyboard.block_limits(scene) == [1, 61, 91, 163]
    scene.render.fps_base = 1.001
    assert storyboard.block_limits(scene) == [1, 61, 91, 163]
    scene.render.fps, scene.render.fps_base = 60, 1.0
    assert storyboard.block_limits(scene) == [1, 151, 181, 361]
    scene.kmm.blocks[1].unit = "SECONDS"
    assert scene.kmm.blocks[1].seconds == pytest.approx(0.5)


def markers(scene: bpy.types.Scene) -> list[tuple[int, str]]:
    return sorted((m.frame, m.name) for m in scene.timeline_markers)


def test_markers_show_the_limits_and_the_users_own_stay(scene: bpy.types.Scene) -> None:
    scene.timeline_markers.new("mine", frame=61)
    board(scene, ("walk", 2.0), ("turn", 1.0))
    assert markers(scene) == [(1, "walk"), (61, "mine"), (61, "turn"), (91, "End")]
    scene.kmm.blocks[0].seconds = 1.0
    assert markers(scene) == [(1, "walk"), (31, "turn"), (61, "End"), (61, "mine")]
    scene.kmm.frame_start = 11
    scene.kmm.blocks[1].prompt = "jump"
    assert markers(scene) == [(11, "walk"), (41, "jump"), (61, "mine"), (71, "End")]
    scene.render.fps = 60
    scene.kmm.blocks[1].prompt = "turn"  # without a window Blender does not tell of the new rate at once
    assert markers(scene) == [(11, "walk"), (61, "mine"), (71, "turn"), (131, "End")]
    next(m for m in scene.timeline_markers if m.name == "turn").name = "look here"  # now it is the user's
    scene.kmm.show_markers = False
    assert markers(scene) == [(61, "mine"), (71, "look here")]
    scene.kmm.show_markers = True
    bpy.ops.kmm.block_remove(index=0)
    assert markers(scene) == [(61, "mine"), (71, "look here")]  # one block has no boundaries


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.001), (60, 1.0)])
def test_a_storyboard_is_generated_to_the_frame(
    stream: ModuleType, scene: bpy.types.Scene, fps: int, base: float
) -> None:
    """Every block from its start at its own time; the poses are the engine's answer to the same segments."""
    scene.render.fps, scene.render.fps_base = fps, base
    board(scene, ("a person walks forward", 1.3), ("a person sits down", 0.9), ("a person jumps", 1.1))
    scene.kmm.frame_start = 8
    assert bpy.ops.kmm.generate() == {"FINISHED"}
    rate = fps / base
    expected = [8 + int(t * rate + 0.5 + 1e-4) for t in (0, 1.3, 2.2, 3.3)]  # half a frame counts as one
    assert storyboard.block_limits(scene) == expected
    obj = scene.kmm.character
    assert frames_of(obj) == list(range(8, expected[-1]))
    for block, start, stop in zip(scene.kmm.blocks, expected[:-1], expected[1:], strict=True):
        assert (block.action, block.made_start, block.made_frames) == (
            obj.animation_data.action,
            start,
            stop - start,
        )
    counts = limits.engine_counts([e - 8 for e in expected], 30 / rate)
    prompts = [b.prompt for b in scene.kmm.blocks]
    segments = [
        PromptSegment(prompts[0], counts[0]),
        PromptSegment(prompts[1], counts[1], 2),
        PromptSegment(prompts[2], counts[2], 3),
    ]
    want = answer(stream, segments, 1).resample(rate).slice(0, expected[-1] - 8)
    found = joint_positions(scene, obj, range(8, expected[-1]))
    assert np.abs(found - want.joints()).max() < 1e-3


def answer(stream: ModuleType, segments: list[PromptSegment], seed: int) -> Clip:
    client = stream.engine.client
    events = list(client.events(client.generate(segments, seed), 60))
    assert isinstance(events[-1], Done)
    parts = [e for e in events if isinstance(e, Frames)]
    return Clip(np.concatenate([p.translation for p in parts]), np.concatenate([p.rotations for p in parts]))


def test_a_script_with_a_prompt_leaves_the_storyboard_alone(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    board(scene, ("walk", 2.0), ("turn", 1.0))
    before, shown = told(scene), markers(scene)
    scene.frame_set(30)
    bpy.ops.kmm.generate(prompt="a person jumps", seconds=1.0)
    assert told(scene) == before and markers(scene) == shown
    assert frames_of(scene.kmm.character) == list(range(30, 60))


def test_an_empty_storyboard_says_what_to_do(stream: ModuleType, scene: bpy.types.Scene) -> None:
    board(scene)
    with pytest.raises(RuntimeError, match="add a block"):
        bpy.ops.kmm.generate()
    board(scene, ("walk", 1.0), ("  ", 1.0))
    with pytest.raises(RuntimeError, match="prompt is empty"):
        bpy.ops.kmm.generate()
    assert not scene.kmm.character and not bpy.data.actions


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    speed=st.sampled_from([0.5, 1.5, 2.0]), fps=st.sampled_from([24, 30, 60]), mirror=st.booleans(),
    in_place=st.booleans(),
)  # fmt: skip
def test_speed_mirror_and_in_place(
    stream: ModuleType, scene: bpy.types.Scene, speed: float, fps: int, mirror: bool, in_place: bool
) -> None:
    """The engine's motion, played faster or slower, on the spot, left for right."""
    scene.render.fps = fps
    board(scene, ("a person walks forward", 1.5))
    kmm = scene.kmm
    kmm.speed, kmm.mirror, kmm.in_place = speed, mirror, in_place
    bpy.ops.kmm.generate()
    count = round(1.5 * fps)
    asked = limits.engine_counts([0, count], 30 * speed / fps)
    want = answer(stream, [PromptSegment("a person walks forward", asked[0])], 1)
    want = Clip(want.translation, want.rotations, 30.0 * speed).resample(fps).slice(0, count)
    want = want.mirror() if mirror else want
    joints = want.joints()
    if in_place:
        joints = joints - want.translation[:, None] * [1, 1, 0] + want.translation[:1, None] * [1, 1, 0]
    found = joint_positions(scene, kmm.character, range(1, count + 1))
    assert np.abs(found - joints).max() < 1e-3
    assert motion_of(kmm.character).shape == (count, len(curves(kmm.character)))


def test_what_the_weights_know(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Their prompts are offered, and a prompt that is far from them gets a hint, no refusal."""
    hints = importlib.import_module(f"{PACKAGE}.hints")
    hints.forget()
    assert stream.engine.client.welcome.prompts == {"walk forward": ("a person walks forward",)}
    far = "quantum chromodynamics of the stock market"
    board(scene, (" a person walks forward ", 1.0), (far, 1.0))
    assert not hints.hint(far)  # nothing is known before it was tried
    assert bpy.ops.kmm.generate() == {"FINISHED"}
    assert hints.hint(far) == "Far from what these weights know"
    assert not hints.hint("a person walks forward")


def test_the_guides_script_runs(stream: ModuleType, scene: bpy.types.Scene) -> None:
    guide = (Path(__file__).parents[3] / "docs/guide/storyboard.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(script, {})
    assert [b.prompt for b in scene.kmm.blocks] == ["a person walks forward", "a person sits down"]
    assert [b.seed for b in scene.kmm.blocks] == [3, 4]
