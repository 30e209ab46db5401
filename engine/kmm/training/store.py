"""The training store: features of all recordings in one array, and windows drawn from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kmm.contacts import foot_contacts
from kmm.data.records import Recording
from kmm.model import features as ft

#: The least deviation of each group of features: a tenth of what people's motion has, of joints more.
LEAST = (
    (ft.TURN, 0.005),
    (ft.STEP, 0.002),
    (ft.HEIGHT, 0.015),
    (ft.CONTACTS, 0.05),
    *((ft.rotation(joint), 0.1) for joint in range(22)),
)


@dataclass(frozen=True)
class Store:
    """features (N, 140) of clips one after the other; clip c is rows start[c] : start[c] + length[c].

    A clip's first frame is left out: its turn and step are no velocities (features.encode).
    """

    features: NDArray[np.float32]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    weight: NDArray[np.float64]  # (C,) how often to draw from a clip; sums to 1

    @classmethod
    def build(cls, recordings: Sequence[Recording]) -> Store:
        """Encode recordings (30 fps). Sets are drawn by the cube root of their length, clips by their length."""
        parts = []
        for recording in recordings:
            clip = recording.clip
            contacts = foot_contacts(clip.joints(), clip.fps)
            parts.append(ft.encode(replace(clip, contacts=contacts))[1:])
        length = np.array([len(p) for p in parts])
        total: Counter[str] = Counter()
        for recording, n in zip(recordings, length, strict=True):
            total[recording.set] += int(n)
        weight = np.array([n / total[r.set] ** (2 / 3) for r, n in zip(recordings, length, strict=True)])
        start = np.concatenate([[0], np.cumsum(length)[:-1]])
        return cls(np.concatenate(parts), start, length, weight / weight.sum())

    def clip(self, index: int) -> NDArray[np.float32]:
        """(T, 140) of one clip."""
        return self.features[self.start[index] : self.start[index] + self.length[index]]

    def windows(self, rng: np.random.Generator, count: int, frames: int) -> NDArray[np.float32]:
        """(count, frames, 140) random windows, half of them mirrored; clips shorter than a window never come."""
        weight = np.where(self.length >= frames, self.weight, 0.0)
        clips = rng.choice(len(weight), count, p=weight / weight.sum())
        first = self.start[clips] + (rng.random(count) * (self.length[clips] - frames + 1)).astype(int)
        out = self.features[first[:, None] + np.arange(frames)]
        flip = rng.random(count) < 0.5
        out[flip] = ft.mirror(out[flip])
        return out

    def normalization(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation (140,), one deviation a group so that quiet joints stay quiet.

        Mirroring is counted in, so the mean is symmetric. No deviation is below LEAST: motion that never turns, say,
        would divide by nothing.
        """
        mean = (self.features.mean(0) + ft.mirror(self.features.mean(0))) / 2
        std = np.sqrt(((self.features - mean) ** 2).mean(0))
        for group, least in LEAST:
            std[group] = np.maximum(std[group].mean(), least)
        return mean.astype(np.float32), std.astype(np.float32)
