"""Resampling a motion while it arrives, for a scene whose frame rate is not the engine's.

The chunks that come out are, one after another, exactly `Clip.resample` of the whole motion.
"""

from __future__ import annotations

import numpy as np

from kmm.clip import Array, Clip, resampled_length, sample


class StreamResampler:
    """Turns chunks of frames at `source_fps` into chunks at `target_fps`.

    Everything up to the time of the last source frame pushed is given out at once, so nothing is left at the end.
    That frame is kept, to interpolate from it when the next one comes.
    """

    def __init__(self, source_fps: float, target_fps: float) -> None:
        if not (source_fps > 0 and target_fps > 0):
            raise ValueError(f"frame rates must be positive, got {source_fps} and {target_fps}")
        self.source_fps = float(source_fps)
        self.target_fps = float(target_fps)
        self._received = 0
        self._given = 0
        self._held: Clip | None = None  # the last source frame

    def push(self, translation: Array, rotations: Array, contacts: Array | None = None) -> Clip:
        """The next n >= 0 source frames: (n, 3), (n, 22, 4) and (n, 4) or None; n may change between calls.

        Returns a clip at `target_fps`, possibly of no frames: what can no longer change. ValueError for wrong
        shapes, and when contacts come with some chunks and not with others.
        """
        chunk = Clip(translation, rotations, self.source_fps, contacts)
        if len(chunk) == 0:
            return Clip(translation, rotations, self.target_fps, contacts)
        if self._held is not None:
            chunk = _join(self._held, chunk)
        self._received += len(translation)
        self._held = chunk.slice(len(chunk) - 1, len(chunk))
        ready = resampled_length(self._received, self.source_fps, self.target_fps)
        return self._cut(chunk, ready - self._given)

    def _cut(self, chunk: Clip, count: int) -> Clip:
        """The next `count` output frames, out of a chunk that ends with the last source frame received."""
        first = self._received - len(chunk)
        frames = np.arange(self._given, self._given + count) * (self.source_fps / self.target_fps) - first
        self._given += count
        translation, rotations, contacts = sample(chunk, frames)
        return Clip(translation, rotations, self.target_fps, contacts)


def _join(a: Clip, b: Clip) -> Clip:
    if (a.contacts is None) != (b.contacts is None):
        raise ValueError("contacts must be given with every chunk or with none")
    contacts = None if a.contacts is None or b.contacts is None else np.concatenate([a.contacts, b.contacts])
    return Clip(
        np.concatenate([a.translation, b.translation]),
        np.concatenate([a.rotations, b.rotations]),
        a.fps,
        contacts,
    )
