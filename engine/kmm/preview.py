"""Film strips: a few frames of a motion side by side as a picture (needs pillow)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kmm.clip import Array, Clip, heading
from kmm.formats.files import replacing
from kmm.mannequin import FLOOR, TINTS, Camera, Window, draw_body, draw_floor

WIDTH = 1600  #: pixels of every strip
MARGIN = 28
MAP = 190  #: width of the plan of the path at the right
CONTACTS = 44  #: height of the plot of contacts
OVERSAMPLE = 3

PAPER, INK, FAINT = (247, 246, 243), (48, 50, 54), (140, 140, 138)
_SCALE = 150.0  # pixels a metre, less where bodies lie and need the room
_CAMERA = Camera(azimuth=np.radians(-42), elevation=np.radians(14), scale=_SCALE)


def film_strip(
    clip: Clip, path: str | os.PathLike[str], count: int = 8, title: str = "", contacts: bool = False
) -> None:
    """Write a PNG of `count` bodies, evenly spaced in time from the first frame to the last.

    The view follows the pelvis and does not turn with it; a plan at the right shows the way and where the body
    faces. contacts: plot below when the feet are on the floor, if the clip knows. ValueError if it has no frames.
    """
    film_strip_sheet([clip], [title], path, count, contacts)


def film_strip_sheet(
    clips: Sequence[Clip],
    titles: Sequence[str],
    path: str | os.PathLike[str],
    count: int = 8,
    contacts: bool = False,
) -> None:
    """Write a PNG with a film strip a row. ValueError if there is nothing to draw or titles do not match."""
    if len(clips) != len(titles) or not clips:
        raise ValueError(
            f"a sheet needs a title for each of one or more clips, got {len(clips)} and {len(titles)}"
        )
    if count < 1 or any(len(clip) == 0 for clip in clips):
        raise ValueError("a film strip needs one or more bodies of a clip that has frames")
    rows = [_row(clip, title, count, contacts) for clip, title in zip(clips, titles, strict=True)]
    sheet = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), PAPER)
    for i, row in enumerate(rows):
        sheet.paste(row, (0, sum(above.height for above in rows[:i])))
    save_picture(sheet, path)


def save_picture(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a PNG of 128 colours: a third of the size, and nothing that the eye would miss."""
    few = image.convert("RGB").quantize(128, kmeans=1, dither=Image.Dither.NONE)
    with replacing(path) as file:
        few.save(file, "PNG", optimize=True)


@dataclass(frozen=True)
class _Stage:
    """Where the bodies of a row stand: the picture's rows, the row of the floor and the columns of the bodies."""

    camera: Camera
    high: int
    floor: float
    centres: Array

    def around(self, centre: float, across: float, along: float) -> tuple[tuple[slice, slice], Window]:
        """The part of the picture within some metres of a body's place."""
        metre = self.camera.scale
        left, right = (int(np.clip(centre + x * metre, 0, WIDTH)) for x in (-across, across))
        top, bottom = (int(np.clip(self.floor + y * metre, 0, self.high)) for y in (-along, along))
        window = Window(bottom - top, right - left, (self.floor - top, centre - left))
        return (slice(top, bottom), slice(left, right)), window


def _stage(clip: Clip, frames: Array, count: int) -> _Stage:
    """As large as usual if the bodies are no wider than the room they have; as high as the highest joint asks."""
    at = clip.slice(int(frames[0]), int(frames[-1]) + 1).joints()[frames] @ _CAMERA.axes.T
    spacing = (WIDTH - 2 * MARGIN - MAP) / count
    width = np.ptp(at[..., 0], axis=1).mean() + 0.2
    camera = replace(_CAMERA, scale=min(_SCALE, 1.15 * spacing / width))
    on_floor = np.stack([_under_pelvis(clip, frame) for frame in frames]) @ _CAMERA.axes.T
    above = (at[..., 1] - on_floor[:, None, 1]).max() + 0.27  # a head's height above its joint, or a hand's
    floor = above * camera.scale
    below = FLOOR * np.sin(camera.elevation) + 0.1
    return _Stage(
        camera, int(floor + below * camera.scale), floor, MARGIN + spacing * (np.arange(len(frames)) + 0.5)
    )


def _row(clip: Clip, title: str, count: int, contacts: bool) -> Image.Image:
    frames = np.unique(np.linspace(0, len(clip) - 1, count).round().astype(int))
    stage = _stage(clip, frames, count)
    top = 62 if title else 16
    foot = top + stage.high
    told = len(clip.segments) > 1  # one prompt is the title's to tell
    low = foot + (84 if told else 44)
    plotted = contacts and clip.contacts is not None and len(frames) > 1
    row = Image.new("RGB", (WIDTH, low + (CONTACTS + 28 if plotted else 0)), PAPER)
    row.paste(_scene(clip, frames, stage), (0, top))
    draw = ImageDraw.Draw(row)
    draw_text(draw, (MARGIN, 22), title, INK, 26, "la", WIDTH - 2 * MARGIN)
    for frame, x in zip(frames, stage.centres, strict=True):
        draw_text(draw, (x, foot + 4), f"{frame / clip.fps:.2f} s", FAINT, 17)
    if told:
        _draw_segments(draw, clip, stage.centres, foot + 36)
    if plotted:
        left, right = (round(stage.centres[i]) for i in (0, -1))
        draw_contacts(draw, clip, (left, low + 4, right, low + 4 + CONTACTS))
        draw_text(draw, (right + 16, low + 4 + CONTACTS / 2), "feet on the floor", FAINT, 17, "lm")
    draw_plan(row, clip, frames, (WIDTH - MARGIN - MAP + 24, top, WIDTH - MARGIN, foot - 10), _CAMERA.azimuth)
    metres = float(np.linalg.norm(np.diff(clip.translation[:, :2], axis=0), axis=-1).sum())
    draw_text(draw, (WIDTH - MARGIN - MAP / 2 + 12, foot + 4), f"{metres:.1f} m", FAINT, 17)
    return row


def _scene(clip: Clip, frames: Array, stage: _Stage) -> Image.Image:
    """The bodies on their patches of floor."""
    scene = np.broadcast_to(np.array(PAPER) / 255, (stage.high, WIDTH, 3)).copy()
    for frame, centre in zip(frames, stage.centres, strict=True):
        part, window = stage.around(centre, FLOOR, FLOOR * np.sin(stage.camera.elevation))
        way = clip.translation[: frame + 1, :2]
        dark = draw_floor(clip, frame, stage.camera, window, _under_pelvis(clip, frame), way)
        scene[part] *= 1 - dark[..., None] * (1 - np.array([0.22, 0.23, 0.27]))
    for frame, centre in zip(frames, stage.centres, strict=True):
        reach = np.abs(
            (clip.slice(frame, frame + 1).joints()[0] - clip.translation[frame]) @ stage.camera.axes[0]
        )
        part, window = stage.around(centre, reach.max() + 0.2, np.inf)
        body = smooth_body(clip, frame, stage.camera, window, _under_pelvis(clip, frame))
        scene[part] = scene[part] * (1 - body[..., 3:]) + body[..., :3]
    return Image.fromarray((scene * 255 + 0.5).astype(np.uint8))


def smooth_body(
    clip: Clip, frame: int, camera: Camera, window: Window, target: Array, oversample: int = OVERSAMPLE
) -> Array:
    """(height, width, 4) colour times coverage, and coverage: drawn larger and averaged, for smooth edges."""
    n = oversample
    large = Window(window.height * n, window.width * n, (window.origin[0] * n, window.origin[1] * n))
    body = draw_body(clip, frame, replace(camera, scale=camera.scale * n), large, target)
    body[..., :3] *= body[..., 3:]
    return np.asarray(body.reshape(window.height, n, window.width, n, 4).mean(axis=(1, 3)))


def _under_pelvis(clip: Clip, frame: int) -> Array:
    return clip.translation[frame] * [1, 1, 0]


def draw_plan(
    row: Image.Image, clip: Clip, frames: Array, box: tuple[int, int, int, int], azimuth: float
) -> None:
    """The way seen from above, with a wedge, darker with time, where each body stands and faces.

    azimuth: of the camera beside it, whose right is the plan's right.
    """
    left, top, right, bottom = box
    size = np.array([right - left, bottom - top]) * OVERSAMPLE
    plan = Image.new("RGBA", tuple(size.tolist()), (*PAPER, 0))
    draw = ImageDraw.Draw(plan)
    ca, sa = np.cos(azimuth), np.sin(azimuth)
    turn = np.array([[ca, sa], [sa, -ca]])  # the world's x and y -> right and down in the plan
    way = clip.translation[:, :2] @ turn.T
    low, high = way.min(0), way.max(0)
    pixels = min(((size - 44 * OVERSAMPLE) / np.maximum(high - low, 1e-6)).min(), 45 * OVERSAMPLE)
    way = (way - (low + high) / 2) * pixels + size / 2
    draw.line([tuple(p) for p in way.tolist()], fill=(*FAINT, 150), width=2 * OVERSAMPLE, joint="curve")
    yaw = heading(clip.rotations[frames, 0])
    for i, at in enumerate(way[frames]):
        ahead = turn @ np.array([np.sin(yaw[i]), -np.cos(yaw[i])]) * OVERSAMPLE
        side = np.array([-ahead[1], ahead[0]])
        wedge = [at + 10 * ahead, at - 5 * ahead + 6 * side, at - 5 * ahead - 6 * side]
        late = (i + 1) / len(frames)
        colour = tuple(round(p + (q - p) * late) for p, q in zip(PAPER, INK, strict=True))
        draw.polygon([tuple(p.tolist()) for p in wedge], fill=colour, outline=FAINT)
    plan = plan.resize((right - left, bottom - top), Image.Resampling.BOX)
    row.paste(plan, (left, top), plan)


def _draw_segments(draw: ImageDraw.ImageDraw, clip: Clip, centres: Array, top: int) -> None:
    """A bar for each segment, as long as it lasts, with its prompt."""

    def column(frame: int) -> float:
        return float(centres[0] + (centres[-1] - centres[0]) * frame / max(len(clip) - 1, 1))

    for segment in clip.segments:
        left, right = column(segment.start), column(min(segment.end, len(clip) - 1))
        draw.line([(left + 2, top), (right - 2, top)], fill=FAINT, width=3)
        draw_text(draw, ((left + right) / 2, top + 8), segment.prompt, INK, 17, "ma", right - left)


def draw_contacts(draw: ImageDraw.ImageDraw, clip: Clip, box: tuple[int, int, int, int]) -> None:
    """When left heel and toe, right heel and toe are on the floor: a line each, from the first frame to the last."""
    left, top, right, bottom = box
    rows = (bottom - top) / 4
    assert clip.contacts is not None
    for foot, name in enumerate(("L", "R")):
        y = top + (2 * foot + 1) * rows
        draw_text(draw, (left - 14, y), name, FAINT, 13, "mm")
    for line in range(4):
        tint = TINTS["left" if line < 2 else "right"]
        colour = tuple(round(255 * c * 0.9) for c in tint)
        y = top + (line + 0.5) * rows
        draw.line([(left, y), (right, y)], fill=(225, 224, 220), width=1)
        down = np.concatenate([[False], clip.contacts[:, line] > 0.5, [False]])
        edges = np.flatnonzero(np.diff(down.astype(int)))
        for start, end in edges.reshape(-1, 2) / max(len(clip), 1):
            ends = [left + (right - left) * float(x) for x in (start, end)]
            draw.line([(ends[0], y), (ends[1], y)], fill=colour, width=max(2, round(rows * 0.6)))


def draw_text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    size: int,
    anchor: str = "ma",
    width: float = np.inf,
) -> None:
    """A line of text, cut short to fit a width."""
    font = ImageFont.load_default(size)
    short = text
    while short and draw.textlength(short, font) > width:
        text = text[:-1]
        short = text.rstrip() + "..." if text else ""
    draw.text(at, short, fill=colour, font=font, anchor=anchor)
