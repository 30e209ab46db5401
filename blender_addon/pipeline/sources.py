"""Motions to retarget: kmm's clips, and files with a humanoid of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np
from kmm import formats
from kmm import rotations as rot
from kmm.clip import Clip, resampled_length
from kmm.formats.bvh_parser import parse
from kmm.retarget import BoneMap, Rig, bvh, smpl
from kmm.retarget.bone_map import named
from numpy.typing import NDArray

from ..retargeting import reading, rigs
from . import character_files

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Source:
    """A body and its poses: rotations (T, N, 4) and heads (T, N, 3) of all its bones, in its own space."""

    rig: Rig
    bone_map: BoneMap
    rotations: Array
    heads: Array

    def pose(self, bones: tuple[int, ...]) -> tuple[Array, Array]:
        """Of some bones: what a retargeter takes."""
        return self.rotations[:, bones], self.heads[:, bones]

    def resample(self, fps: float, wanted: float) -> Source:
        """The same motion at another rate."""
        count = resampled_length(len(self.heads), fps, wanted)
        at = np.minimum(np.arange(count) * fps / wanted, len(self.heads) - 1)
        low = np.floor(at).astype(int)
        high, share = np.minimum(low + 1, len(self.heads) - 1), (at - low)[:, None]
        heads = self.heads[low] + share[..., None] * (self.heads[high] - self.heads[low])
        return replace(
            self, rotations=rot.slerp(self.rotations[low], self.rotations[high], share), heads=heads
        )


def read(path: Path, fps: float) -> Source:
    """The motion at a rate. What Blender has to import takes the place of the open file. ValueError, OSError."""
    suffix = path.suffix.lower()
    if suffix != ".fbx":
        try:
            clip = formats.load(path)
        except ValueError:
            if suffix not in (".bvh", ".glb", ".gltf"):
                raise
        else:
            if len(clip) == 0:
                raise ValueError(f"{path.name} has no frames in it")
            return from_clip(clip.resample(fps))
    return _from_bvh(path, fps) if suffix == ".bvh" else _imported(path, fps)  # of another skeleton than ours


def from_clip(clip: Clip) -> Source:
    """SMPL's poses."""
    body = smpl.rig()
    return Source(body, named("smpl"), *smpl.pose(clip, tuple(range(len(body.names)))))


def _from_bvh(path: Path, fps: float) -> Source:
    try:
        read = parse(path.read_bytes().decode("utf-8-sig", errors="replace"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    body = bvh.rig(read)
    poses = bvh.pose(read, tuple(range(len(body.names))), body)
    return Source(body, _bone_map(body, path), *poses).resample(read.fps, fps)


def _imported(path: Path, fps: float) -> Source:
    character_files.import_file(path)
    obj = character_files.find_armature(path)
    try:
        first, last = reading.frame_range(obj)
    except ValueError:
        raise ValueError(f"{path.name} has no motion in it") from None
    body = rigs.read(obj)
    poses = reading.poses(obj, None, body, range(len(body.names)), range(first, last + 1))
    render = bpy.context.scene.render
    return Source(body, _bone_map(body, path), *poses).resample(render.fps / render.fps_base, fps)


def _bone_map(body: Rig, path: Path) -> BoneMap:
    chosen = rigs.choose(body, moves=True)
    if chosen is None or chosen.confidence < rigs.CONFIDENT:
        raise ValueError(f"{path.name}: its bones are not known for those of a humanoid")
    return chosen.bone_map
