"""Given frames on the command line: "walk.npz", "walk.npz@2", "walk.npz@2:0.5-1.5", "pose.bvh@4:0"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import numpy as np
import typer

from kmm.clip import FPS, Clip
from kmm.given import Given

Files = Annotated[
    list[str] | None,
    typer.Option(
        "--given",
        help="Motion that is there already and stays as it is: FILE, or FILE@AT from second AT of the new motion "
        "on, or FILE@AT:FROM-TO for some seconds of the file, or FILE@AT:FROM for one pose. Can be repeated.",
    ),
]
_PLACE = re.compile(r"(?P<file>.+)@(?P<at>[\d.]+)(?::(?P<start>[\d.]+)(?P<range>-(?P<stop>[\d.]+))?)?", re.S)


def read(texts: Iterable[str] | None) -> Given:
    """The frames of all files, in the numbering of the new motion. Raises ValueError, OSError."""
    parts = [_read(text) for text in texts or ()]
    if not parts:
        return Given()
    frames = np.concatenate([numbers for numbers, _ in parts])
    order = np.argsort(frames, kind="stable")
    twice = frames[order][1:][np.diff(frames[order]) == 0]
    if len(twice):
        raise ValueError(f"Second {twice[0] / FPS:g} is given twice; leave one of the two out.")
    return Given(
        frames[order],
        np.concatenate([clip.translation for _, clip in parts])[order],
        np.concatenate([clip.rotations for _, clip in parts])[order],
    )


def _read(text: str) -> tuple[np.ndarray, Clip]:
    """Frame numbers in the new motion, and the frames."""
    from kmm import formats

    match = _PLACE.fullmatch(text)
    file, at, start = (match["file"], match["at"], match["start"]) if match else (text, "0", None)
    clip = formats.load(file).resample(FPS)
    low = 0 if start is None else _frame(start, text)
    high = len(clip)
    if match and start is not None:
        high = _frame(match["stop"], text) if match["range"] else low + 1
    if not 0 <= low < high <= len(clip):
        raise ValueError(f"{text!r} asks for what {file} does not have; it lasts {clip.seconds:g} seconds.")
    first = _frame(at, text)
    return np.arange(first, first + high - low), clip.slice(low, high)


def _frame(seconds: str, text: str) -> int:
    try:
        return round(float(seconds) * FPS)
    except ValueError:
        raise ValueError(f"{seconds!r} in {text!r} is not a number of seconds.") from None
