"""Clips <-> JSON for the web: one object that a page can read without a library.

The layout is described in docs/formats.md. Numbers that do not change with time are plain; the frames are base64 of
little-endian 32-bit floats, which in JavaScript is one line and goes into a three.js keyframe track as it is.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kmm import rotations as rot
from kmm.body import Body
from kmm.clip import Clip, Segment
from kmm.formats.axes import UNITS, Units, Up, to_file, turn
from kmm.formats.files import replacing
from kmm.rotations import Array
from kmm.skeleton import JOINT_NAMES, PARENTS, REST_OFFSETS

FORMAT, VERSION = "kmm-motion", 1
CHOICES = {"units": ("m", "cm"), "up": ("y", "z")}


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    units: Units = "m",
    up: Up = "y",
    body: Body | None = None,
) -> None:
    """Write a clip; `load` gives it back to 32-bit precision. body: whose offsets to write."""
    position, rotations = to_file(clip, units, up)
    offsets = (REST_OFFSETS if body is None else body.offsets) * UNITS[units]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "fps": clip.fps,
        "frames": len(clip),
        "units": units,
        "up": up,
        "joints": JOINT_NAMES,
        "parents": PARENTS,
        "offsets": np.round(offsets, 6).tolist(),
        "translation": _packed(position),
        "rotations": _packed(rot.unflip(rotations)[..., [1, 2, 3, 0]]),
        "contacts": None if clip.contacts is None else _packed(clip.contacts),
        "segments": [{"prompt": s.prompt, "start": s.start, "end": s.end} for s in clip.segments],
    }
    with replacing(path) as file:
        file.write(json.dumps(document, separators=(",", ":")).encode())


def load(path: str | os.PathLike[str]) -> Clip:
    """Read a clip. ValueError, naming the file, if it is not such a file or damaged."""
    content = Path(path).read_bytes()
    try:
        return _clip(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{Path(path).name} is not a motion for the web: {reason}") from error


def _clip(document: dict[str, Any]) -> Clip:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']} is not known here, only {VERSION}")
    if tuple(document["joints"]) != JOINT_NAMES:
        raise ValueError("its joints are not SMPL's")
    frames, units, up = int(document["frames"]), document["units"], document["up"]
    if units not in UNITS or up not in CHOICES["up"]:
        raise ValueError(f"units {units!r} and up {up!r} are not known")
    rotations = _unpacked(document["rotations"], (frames, len(JOINT_NAMES), 4))[..., [3, 0, 1, 2]]
    rotations[:, 0] = rot.multiply(rot.inv(turn(up)), rotations[:, 0])
    contacts = document.get("contacts")
    return Clip(
        rot.apply(rot.inv(turn(up)), _unpacked(document["translation"], (frames, 3))) / UNITS[units],
        rot.normalize(rotations),
        float(document["fps"]),
        None if contacts is None else _unpacked(contacts, (frames, 4)),
        tuple(Segment(str(s["prompt"]), int(s["start"]), int(s["end"])) for s in document["segments"]),
    )


def _packed(values: ArrayLike) -> str:
    return base64.b64encode(np.asarray(values).astype("<f4").tobytes()).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> Array:
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(float)
    if values.size != np.prod(shape) or not np.isfinite(values).all():
        raise ValueError(f"it needs {np.prod(shape)} finite numbers for {shape}")
    return values.reshape(shape)
