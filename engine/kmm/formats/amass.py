"""AMASS motion files (npz) <-> clips.

Written is everything that readers of AMASS ask for, with zeros for what a clip does not have. In either layout:
`trans` (T, 3), `root_orient` (T, 3), `pose_body` (T, 63), `pose_hand` (T, 90), `pose_jaw` (T, 3), `pose_eye` (T, 6),
`betas` (16,), `num_betas`, `dmpls` (T, 8), `gender` "neutral", `surface_model_type`, `mocap_framerate` and
`mocap_frame_rate`, `mocap_time_length`; where the clip has them `contacts` (T, 4), `segment_prompts` (S,) and
`segment_frames` (S, 2). `poses` is (T, 156) in the layout "smplh" (root, body, hands), which AMASS itself and most
readers have, and (T, 165) in "smplx" (root, body, jaw, eyes, hands), which the SMPL-X add-on for Blender asks for.

Read: any of these, and real AMASS files: body only (66 or 72 columns), SMPL-H (156) and SMPL-X (165) with either
spelling of the frame rate. Shape, hands and face are left out.

`trans` is the clip's translation as it stands. (SMPL body models rest their pelvis some 0.2 to 0.35 m below and a
few centimetres before their origin, so a viewer with a body model shows the figure shifted by that constant, the same
for every pose; this body has its pelvis at the origin.)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import Clip, Segment
from kmm.formats.files import replacing
from kmm.skeleton import JOINT_NAMES

BODY = 3 * len(JOINT_NAMES)
COLUMNS = {"smplh": 156, "smplx": 165}  #: of `poses`: 52 and 55 joints

#: What can be chosen of a file.
CHOICES = {"units": ("m",), "up": ("z",), "layout": tuple(COLUMNS)}


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    units: str = "m",
    up: str = "z",
    layout: Literal["smplh", "smplx"] = "smplh",
) -> None:
    """Write a clip; `load` gives it back, rotations to rounding (their sign aside)."""
    frames = len(clip)
    poses = np.zeros((frames, COLUMNS[layout]))
    poses[:, :BODY] = rot.as_rotvec(clip.rotations.astype(float)).reshape(frames, BODY)
    arrays = {
        "poses": poses,
        "trans": clip.translation.astype(float),
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:BODY],
        "pose_hand": np.zeros((frames, 90)),
        "pose_jaw": np.zeros((frames, 3)),
        "pose_eye": np.zeros((frames, 6)),
        "betas": np.zeros(16),
        "num_betas": np.array(16),
        "dmpls": np.zeros((frames, 8)),
        "gender": np.array("neutral"),
        "surface_model_type": np.array(layout),
        "mocap_framerate": np.array(float(clip.fps)),
        "mocap_frame_rate": np.array(float(clip.fps)),
        "mocap_time_length": np.array(clip.seconds),
    }
    if clip.contacts is not None:
        arrays["contacts"] = clip.contacts
    if clip.segments:
        arrays["segment_prompts"] = np.array([s.prompt for s in clip.segments])
        arrays["segment_frames"] = np.array([(s.start, s.end) for s in clip.segments])
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: str | os.PathLike[str]) -> Clip:
    """Read a clip at the file's own frame rate. ValueError, naming the file, if it is not an AMASS motion."""
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return _clip(arrays)
        except Exception as error:  # a damaged zip can fail in any layer below
            raise ValueError(f"{Path(path).name} is not an AMASS motion file: {_reason(error)}") from error


def _clip(arrays: np.lib.npyio.NpzFile) -> Clip:
    poses, trans = _numbers(arrays, "poses"), _numbers(arrays, "trans")
    if poses.ndim != 2 or poses.shape[1] < BODY or poses.shape[1] % 3:
        raise ValueError(f"'poses' must be (frames, {BODY} or more), it is {poses.shape}")
    if trans.shape != (len(poses), 3):
        raise ValueError(f"'trans' must be ({len(poses)}, 3), it is {trans.shape}")
    rate = next((k for k in ("mocap_framerate", "mocap_frame_rate") if k in arrays), None)
    if rate is None:
        raise ValueError("it has no 'mocap_framerate'")
    segments: tuple[Segment, ...] = ()
    if "segment_prompts" in arrays and "segment_frames" in arrays:
        named = zip(arrays["segment_prompts"].tolist(), arrays["segment_frames"].tolist(), strict=True)
        segments = tuple(Segment(str(prompt), int(start), int(end)) for prompt, (start, end) in named)
    return Clip(
        translation=trans,
        rotations=rot.from_rotvec(poses[:, :BODY].reshape(len(poses), len(JOINT_NAMES), 3)),
        fps=_numbers(arrays, rate).item(),
        contacts=_numbers(arrays, "contacts") if "contacts" in arrays else None,
        segments=segments,
    )


def _numbers(arrays: np.lib.npyio.NpzFile, key: str) -> NDArray[np.float64]:
    if key not in arrays:
        raise ValueError(f"it has no {key!r}")
    values = np.asarray(arrays[key], dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(f"{key!r} has values that are not finite numbers")
    return values


def _reason(error: Exception) -> str:
    """Our own sentence, or one for whatever NumPy and zipfile say of damaged and foreign files."""
    text = str(error)
    return text if type(error) is ValueError and "pickle" not in text.lower() else "it cannot be read as npz"
