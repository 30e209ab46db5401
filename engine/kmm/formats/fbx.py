"""Clips <-> FBX files with a skinned body, through Blender, which is started for it and closed again.

Usual for FBX, and so written unless told otherwise, are centimetres and Y up. Nothing is scaled: what is a centimetre
is so in the data, not by a factor of 100 on an object. Segments and contacts have no place in FBX.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from kmm import rotations as rot
from kmm.body import Body
from kmm.clip import Clip
from kmm.formats import gltf
from kmm.formats.axes import UNITS, Units, Up
from kmm.formats.bvh_parser import frame_rate
from kmm.formats.posed import clip_of_world, unscaled

SECONDS_A_FRAME = 0.1  #: that Blender may take beyond its usual time, ten times what it takes

CHOICES = {"units": ("cm", "m"), "up": ("y", "z")}


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    units: Units = "cm",
    up: Up = "y",
    body: Body | None = None,
) -> None:
    """Write a clip on a body; `load` gives it back to 1e-4, without contacts and segments.

    ValueError if it has no frames, or there is no Blender or it fails.
    """
    from kmm import blender

    path = Path(path)
    if len(clip) == 0:
        raise ValueError(f"{path.name}: a motion without frames cannot be written as FBX")
    command = _command()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        model, made = Path(folder) / "clip.glb", Path(folder) / "clip.fbx"
        # Blender puts glTF's seconds on frames of a whole rate; the true one is told it later
        gltf.save(replace(clip, fps=float(round(clip.fps) or 1)), model, body=body)
        job = {
            "glb": str(model.resolve()),
            "fbx": str(made.resolve()),
            "fps": clip.fps,
            "frames": len(clip),
            "unit": 1.0 / UNITS[units],
            "up": up,
        }
        blender.run(_script(), job, command, blender.SECONDS + SECONDS_A_FRAME * len(clip))
        os.replace(made, path)


def load(path: str | os.PathLike[str]) -> Clip:
    """Read the first skeleton's animation, if it is SMPL's in SMPL's rest pose, at the file's rate.

    ValueError, naming the file, if it is damaged or has another skeleton, or there is no Blender.
    """
    from kmm import blender

    path = Path(path)
    with open(path, "rb"):
        pass  # what is wrong with a file that cannot be opened, OSError tells better
    command = _command()
    with tempfile.TemporaryDirectory() as folder:
        poses = Path(folder) / "poses.npz"
        job = {"fbx": str(path.resolve()), "npz": str(poses)}
        try:
            blender.run(_script(), job, command)
            with np.load(poses) as read:
                names, parents, fps = (
                    read["names"].tolist(),
                    read["parents"].tolist(),
                    frame_rate(1 / float(read["fps"])),
                )
                rest, posed = read["rest"], read["posed"]
            turns = [rot.from_matrix(unscaled(matrices)) for matrices in (rest, posed)]
            return clip_of_world(
                names, parents, rest[:, :3, 3], turns[0], posed[..., :3, 3], turns[1], fps, up="z"
            )
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error


def check() -> None:
    """ValueError if there is no Blender."""
    _command()


def _script() -> Path:
    return Path(__file__).parents[1] / "fbx_blender.py"


def _command() -> list[str]:
    from kmm import blender

    command = blender.command()
    if command is None:
        raise ValueError("FBX files are written by Blender; put Blender on the PATH, or: pip install bpy")
    return command
