"""The takes of one generation: the motions as they come, and which of them the character shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from kmm import editing
from kmm.clip import Clip
from kmm.resample import StreamResampler
from numpy.typing import NDArray

from .performer import Performer
from .placing import Placing, meet
from .request import Request


class Take:
    """One motion on its way: the engine's frames in, the scene's frames out."""

    def __init__(self, request: Request, rate: float, fps: float) -> None:
        """rate: frames per second of the engine; fps: of the scene."""
        options = request.options
        self._request, self._fps = request, fps
        self._resampler = StreamResampler(rate, fps / options.speed)
        self.placing = Placing(request.start, options.mirror, options.in_place)
        self._pieces: list[Clip] = []
        self.frames = 0

    def push(self, translation: NDArray, rotations: NDArray, contacts: NDArray) -> Clip:
        """The next frames of the engine; gives those of the scene that they complete."""
        clip = replace(self._resampler.push(translation, rotations, contacts), fps=self._fps)
        clip = self.placing(clip.slice(0, self._request.frames - self.frames))
        self._pieces.append(clip)
        self.frames += len(clip)
        return clip

    @property
    def complete(self) -> bool:
        return self.frames == self._request.frames

    def clip(self) -> Clip:
        """The whole motion, with its seams closed. Only of a complete take."""
        request = self._request
        clip = Clip(
            np.concatenate([p.translation for p in self._pieces]),
            np.concatenate([p.rotations for p in self._pieces]),
            self._fps,
            np.concatenate([p.contacts for p in self._pieces]),
        )
        if request.given is not None:
            return meet(clip, request.given.frames, request.given.poses, request.reach)
        if request.options.loop:
            return editing.loop(clip, max(1, request.reach))
        return clip

    @property
    def adjusted(self) -> bool:
        """Whether the whole motion is not simply its pieces."""
        return self._request.given is not None or self._request.options.loop


class Channels:
    """A motion as values of a performer's channels: only of the frames that are made, in order."""

    def __init__(
        self, performer: Performer, made: NDArray[np.bool_] | None, before: dict[int, NDArray] | None = None
    ) -> None:
        """before: for the frames at which a run of made ones begins, the values of the frame before it."""
        self._performer, self._made, self._before = performer, made, before or {}
        self._at = 0

    def __call__(self, clip: Clip) -> NDArray[np.floating]:
        """(n, channels) values of what is made of the next frames."""
        first, self._at = self._at, self._at + len(clip)
        rows = [self._convert(clip, start - first, stop - first) for start, stop in self._runs(first)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self._performer.channels)))

    def _runs(self, first: int) -> Iterator[tuple[int, int]]:
        if self._made is None:
            yield first, self._at
            return
        yield from runs(self._made[first : self._at], first)

    def _convert(self, clip: Clip, start: int, stop: int) -> NDArray[np.floating]:
        at = self._at - len(clip) + start
        if at in self._before and self._performer.follow is not None:
            self._performer.follow(self._before[at])
        return self._performer.convert(clip.slice(start, stop))


def runs(mask: NDArray[np.bool_], first: int = 0) -> Iterator[tuple[int, int]]:
    """[start, stop) of every run of True; `first` is the number of the mask's own first."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield first + start, first + stop
