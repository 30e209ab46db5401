"""Films, mp4 (through imageio-ffmpeg) or gif: a mannequin on the floor, its way, its feet's contacts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from kmm.clip import Array, Clip
from kmm.formats.files import replacing
from kmm.mannequin import FLOOR, Camera, Window, draw_floor
from kmm.preview import FAINT, INK, PAPER, draw_contacts, draw_plan, draw_text, smooth_body

WIDTH, HEIGHT = 640, 480  #: both whole multiples of 16, as H.264 wants
FLOOR_ROW = 372  #: where the floor under the body is seen
PLAN = 128  #: side of the plan of the way, in the upper right corner
CHUNK = 16  #: frames that a process draws at a time
MAX_FPS = 30.0
GIF_FPS = 20.0  #: gifs count in hundredths of a second

_CAMERA = Camera(azimuth=np.radians(-42), elevation=np.radians(14), scale=175.0)


def film(clip: Clip, path: str | os.PathLike[str]) -> None:
    """Write a film of the motion at its own speed, .mp4 or .gif, of at most 30 and of 20 frames a second.

    The view follows the pelvis and does not turn with it. ValueError for another suffix, a clip without frames, or an
    mp4 without imageio-ffmpeg.
    """
    path = Path(path)
    kinds = {".mp4": _mp4, ".gif": _gif}
    if path.suffix.lower() not in kinds:
        raise ValueError(f"{path.name}: a film is an .mp4 or a .gif, not {path.suffix!r}")
    if len(clip) == 0:
        raise ValueError("a film needs a clip that has frames")
    kinds[path.suffix.lower()](clip, path)


def pictures(clip: Clip) -> Iterator[Image.Image]:
    """The pictures of the film, one a frame, drawn on all cores."""
    # the camera goes along smoothly: it follows neither every step of the pelvis nor its bobbing
    centre = _smoothed(clip.translation[:, :2], 0.3 * clip.fps)
    joints = clip.joints()
    reach = float(np.abs((joints - clip.translation[:, None]) @ _CAMERA.axes[0]).max())
    above = float(((joints - np.pad(centre, ((0, 0), (0, 1)))[:, None]) @ _CAMERA.axes[1]).max()) + 0.3
    room = min(
        1.0, (FLOOR_ROW - 40) / (above * _CAMERA.scale), (WIDTH / 2 - 20) / ((reach + 0.3) * _CAMERA.scale)
    )
    camera = replace(_CAMERA, scale=_CAMERA.scale * room)
    draw = partial(_picture, clip, camera, centre)
    if len(clip) <= CHUNK:
        yield from map(draw, range(len(clip)))
        return
    with ProcessPoolExecutor() as pool:
        yield from pool.map(draw, range(len(clip)), chunksize=CHUNK)


def _picture(clip: Clip, camera: Camera, centre: Array, frame: int) -> Image.Image:
    target = np.array([*centre[frame], 0.0])
    window = Window(HEIGHT, WIDTH, (float(FLOOR_ROW), WIDTH / 2))
    scene = np.broadcast_to(np.array(PAPER) / 255, (HEIGHT, WIDTH, 3)).copy()

    part, near = _part(window, camera, [-FLOOR, FLOOR], np.sin(camera.elevation) * np.array([-FLOOR, FLOOR]))
    large = Window(near.height * 2, near.width * 2, (near.origin[0] * 2, near.origin[1] * 2))
    twice = replace(camera, scale=camera.scale * 2)
    dark = draw_floor(clip, frame, twice, large, target, clip.translation[: frame + 1, :2])
    dark = dark.reshape(near.height, 2, near.width, 2).mean(axis=(1, 3))
    scene[part] *= 1 - dark[..., None] * (1 - np.array([0.22, 0.23, 0.27]))

    at = (clip.slice(frame, frame + 1).joints()[0] - target) @ camera.axes.T
    part, near = _part(window, camera, at[:, 0], at[:, 1], margin=0.27)
    body = smooth_body(clip, frame, camera, near, target, oversample=2)
    scene[part] = scene[part] * (1 - body[..., 3:]) + body[..., :3]

    picture = Image.fromarray((scene * 255 + 0.5).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    told = next((s.prompt for s in clip.segments if s.start <= frame < s.end), "")
    draw_text(draw, (20, 16), told, INK, 20, "la", WIDTH - PLAN - 60)
    draw_plan(picture, clip, np.array([frame]), (WIDTH - PLAN - 8, 8, WIDTH - 8, 8 + PLAN), camera.azimuth)
    _timeline(draw, clip, frame)
    return picture


def _part(
    window: Window, camera: Camera, x: ArrayLike, y: ArrayLike, margin: float = 0.0
) -> tuple[Any, Window]:
    """The part of a picture that holds points of the camera's x and y, metres, and the window of that part."""
    row, column = window.origin
    x, y = (np.asarray(values) * camera.scale for values in (x, y))
    edge = margin * camera.scale
    left, right = (int(np.clip(column + at, 0, window.width)) for at in (x.min() - edge, x.max() + edge))
    top, bottom = (int(np.clip(row - at, 0, window.height)) for at in (y.max() + edge, y.min() - edge))
    near = Window(bottom - top, right - left, (row - top, column - left))
    return (slice(top, bottom), slice(left, right)), near


def _timeline(draw: ImageDraw.ImageDraw, clip: Clip, frame: int) -> None:
    """Contacts over all frames, and where in them the film is."""
    left, right, top = 64, WIDTH - 64, HEIGHT - 44
    if clip.contacts is not None:
        draw_contacts(draw, clip, (left, top, right, top + 28))
    else:
        draw.line([(left, top + 14), (right, top + 14)], fill=FAINT, width=2)
    x = left + (right - left) * frame / max(len(clip) - 1, 1)
    draw.line([(x, top - 4), (x, top + 32)], fill=INK, width=2)
    draw_text(draw, (WIDTH - 56, top + 6), f"{frame / clip.fps:.1f} s", FAINT, 15, "la")


def _smoothed(values: Array, frames: float) -> Array:
    """Values (T, 2) averaged with a Gaussian of some frames' width; ends are held."""
    reach = int(np.ceil(3 * frames))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(frames, 1e-6)) ** 2)
    padded = np.pad(values.astype(float), ((reach, reach), (0, 0)), mode="edge")
    smooth = partial(np.convolve, v=weights / weights.sum(), mode="valid")
    return np.stack([smooth(column) for column in padded.T], axis=-1)


def _mp4(clip: Clip, path: Path) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ValueError(
            "mp4 films need imageio-ffmpeg; install it with: pip install 'kmm[preview]'"
        ) from error
    clip = clip.resample(min(clip.fps, MAX_FPS))
    beside = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.mp4")
    try:
        writer = imageio_ffmpeg.write_frames(
            str(beside), (WIDTH, HEIGHT), fps=clip.fps, codec="libx264", quality=7, ffmpeg_log_level="error"
        )
        writer.send(None)
        try:
            for picture in pictures(clip):
                writer.send(picture.tobytes())
        finally:
            writer.close()
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _gif(clip: Clip, path: Path) -> None:
    first, *rest = (picture.quantize(128) for picture in pictures(clip.resample(GIF_FPS)))
    with replacing(path) as file:
        first.save(
            file,
            "GIF",
            save_all=True,
            append_images=rest,
            duration=round(1000 / GIF_FPS),
            loop=0,
            optimize=True,
        )
