"""Making one take: the model runs, the files are written as bytes. Nothing here knows where it runs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kmm import formats
from kmm.batch.jobs import Failed, Take
from kmm.clip import FPS, Clip
from kmm.given import Given

if TYPE_CHECKING:
    from kmm.model.pipeline import Pipeline

BATCH_ON_GPU = 32  #: requests that share a network evaluation on a GPU; on a CPU that gains nothing


@dataclass(frozen=True)
class About:
    """The model that makes the takes."""

    weights: str
    sha256: str
    device: str
    batch_size: int


@dataclass(frozen=True)
class Made:
    """A take's files as bytes, in the order of its formats; `seconds` of computation."""

    frames: int
    fps: float
    seconds: float
    files: tuple[bytes, ...]


class Maker:
    """A loaded model; `make` may be called from `batch_size` threads at the same time."""

    def __init__(self, weights: str, device: str, batch_size: int | None = None) -> None:
        """batch_size None: what suits the device. Raises what `Pipeline.load` raises, and ImportError."""
        # one thread each: the layers are too small to share out, and other processes want the other cores
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        from kmm.model.batching import Lanes
        from kmm.model.pipeline import Pipeline, collect

        self._collect = collect
        self._pipeline = Pipeline.load(weights, device)
        on_cpu = self._pipeline.device.startswith("cpu")
        size = batch_size or (1 if on_cpu else BATCH_ON_GPU)
        self.about = About(self._pipeline.name, self._pipeline.sha256, self._pipeline.device, size)
        self._lane: Callable[[], AbstractContextManager[Pipeline]] = Lanes(self._pipeline, size).lane
        if size == 1:
            self._lane = lambda: nullcontext(self._pipeline)

    def make(self, take: Take) -> Made | Failed:
        """The take's motion in files. Whatever goes wrong with it is a `Failed`: the next one may work."""
        start = time.monotonic()
        try:
            given = _given(take)
            with self._lane() as pipeline:
                events = pipeline.generate(
                    take.segments,
                    take.seed,
                    take.guidance,
                    given=given,
                    loop=take.loop,
                    transition_frames=take.transition_frames,
                )
                clip = self._collect(events, take.segments)
            with tempfile.TemporaryDirectory(prefix="kmm-") as folder:
                files = tuple(_content(clip, take, Path(folder) / file) for file in take.files)
        except Exception as error:
            text = str(error) or type(error).__name__
            return Failed(take.name, " ".join(text.split()))
        return Made(len(clip), clip.fps, time.monotonic() - start, files)


def _given(take: Take) -> Given:
    """The poses that the take must keep to."""
    poses = []
    for stretch in sorted(take.constraints, key=lambda stretch: stretch.start):
        clip = formats.load(stretch.clip).resample(FPS)
        first = stretch.first or 0
        poses.append(clip.slice(first, first + stretch.count))
        if len(poses[-1]) < stretch.count:
            raise ValueError(
                f"{stretch.clip} has {len(clip)} frames; {stretch.count} from {first} on are asked for."
            )
    if not poses:
        return Given()
    stretches = sorted((stretch.start, stretch.count) for stretch in take.constraints)
    return Given.in_stretches(
        stretches,
        np.concatenate([clip.translation for clip in poses]),
        np.concatenate([clip.rotations for clip in poses]),
    )


def _content(clip: Clip, take: Take, path: Path) -> bytes:
    if take.rig is None:
        formats.save(clip, path)
    else:
        from kmm import characters

        characters.write(clip, take.rig, path, armature=take.armature, bone_map=take.map)
    return path.read_bytes()
