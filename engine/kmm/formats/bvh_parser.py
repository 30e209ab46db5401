"""Reading BVH files of any skeleton: joint names, offsets and channels as they are in the file.

Written against "Motion Capture File Formats Explained" (Lander, 1998) and what exporters do to it: any order and
number of channels, several roots, names with blanks, any white space, either case.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kmm import rotations as rot
from kmm.rotations import Array

CHANNELS = frozenset(axis + kind for axis in "XYZ" for kind in ("position", "rotation"))


@dataclass(frozen=True)
class Bvh:
    """A BVH file: T frames of J joints in file order, parents before children.

    parents (J,): index of the parent, -1 for a root. offsets (J, 3): from the parent at rest, in file units.
    channels: for each joint its channel names in file order. values (T, C): all channels, degrees and file units.
    ends: joint index -> offset of its End Site.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    ends: dict[int, tuple[float, ...]]
    fps: float
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def rotations(self) -> Array:
        """(T, J, 4) quaternions local to the parent, in the file's axes."""
        out = np.tile(rot.IDENTITY, (len(self), len(self.names), 1))
        for joint, axis, column in self._columns("rotation"):
            turn = np.zeros((len(self), 3))
            turn[:, axis] = np.radians(self.values[:, column])
            out[:, joint] = rot.multiply(out[:, joint], rot.from_rotvec(turn))
        return out

    def translations(self) -> Array:
        """(T, J, 3) positions local to the parent, file units: the offset, or position channels in its place."""
        out = np.tile(self.offsets, (len(self), 1, 1))
        for joint, axis, column in self._columns("position"):
            out[:, joint, axis] = self.values[:, column]
        return out

    def positions(self) -> Array:
        """(T, J, 3) positions in the file's world, file units."""
        turns, at = self.rotations(), self.translations()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                at[:, joint] = at[:, parent] + rot.apply(turns[:, parent], at[:, joint])
                turns[:, joint] = rot.multiply(turns[:, parent], turns[:, joint])
        return at

    def _columns(self, kind: str) -> Iterator[tuple[int, int, int]]:
        """(joint, axis, column of values) of each channel of a kind, in file order."""
        column = itertools.count()
        for joint, names in enumerate(self.channels):
            for name, at in zip(names, column, strict=False):
                if name.endswith(kind):
                    yield joint, "XYZ".index(name[0]), at


def parse(text: str) -> Bvh:
    """Read the text of a BVH file. ValueError, saying what is wrong, if it is not one or damaged."""
    words = _Words(text)
    names, parents, offsets, channels, ends = _hierarchy(words)
    words.expect("frames:")
    frames = words.number("the number of frames")
    words.expect("frame", "time:")
    seconds = words.number("the frame time")
    if not (frames >= 0 and frames == int(frames) and 0 < seconds < 1e6):
        raise ValueError(f"damaged BVH file: {frames:g} frames of {seconds:g} seconds")
    count = sum(map(len, channels))
    values = words.rest()
    if len(values) != frames * count:
        raise ValueError(
            f"damaged BVH file: {frames:g} frames of {count} channels make {frames * count:g} numbers, "
            f"it has {len(values)}"
        )
    table = values.reshape(int(frames), count)
    return Bvh(
        tuple(names), tuple(parents), np.array(offsets), tuple(channels), ends, frame_rate(seconds), table
    )


def _hierarchy(
    words: _Words,
) -> tuple[list[str], list[int], list[list[float]], list[tuple[str, ...]], dict[int, tuple[float, ...]]]:
    """Everything up to and with the word MOTION."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    ends: dict[int, tuple[float, ...]] = {}
    open_joints: list[int] = []  # -1 for an End Site
    words.expect("hierarchy")
    while (word := words.next()).lower() != "motion" or open_joints:
        kind = word.lower()
        if kind in ("root", "joint") and (kind == "joint") == bool(open_joints):
            parents.append(open_joints[-1] if open_joints else -1)
            open_joints.append(len(names))
            names.append(" ".join(words.until("{")))
            offsets.append([0.0, 0.0, 0.0])
            channels.append(())
        elif kind == "end" and open_joints:
            words.until("{")
            open_joints.append(-1)
        elif kind == "offset" and open_joints:
            offset = [words.number("an OFFSET") for _ in range(3)]
            if open_joints[-1] >= 0:
                offsets[open_joints[-1]] = offset
            else:
                ends[open_joints[-2]] = tuple(offset)
        elif kind == "channels" and open_joints and open_joints[-1] >= 0:
            count = words.number("the number of CHANNELS")
            channels[open_joints[-1]] = tuple(words.channel() for _ in range(int(count)))
        elif kind == "}" and open_joints:
            open_joints.pop()
        else:
            raise ValueError(f"damaged BVH file: {word[:40]!r} is out of place in the hierarchy")
    if not names:
        raise ValueError("damaged BVH file: it has no joints")
    return names, parents, offsets, channels, ends


class _Words:
    """The words of a file, read one after another."""

    def __init__(self, text: str) -> None:
        self._words = text.replace("{", " { ").replace("}", " } ").replace(":", ": ").split()
        self._at = 0

    def next(self) -> str:
        if self._at == len(self._words):
            raise ValueError("damaged BVH file: it ends too early")
        self._at += 1
        return self._words[self._at - 1]

    def expect(self, *words: str) -> None:
        for word in words:
            found = self.next()
            if found.lower() + ":" == word and self.next() == ":":  # a blank before the colon
                continue
            if found.lower() != word:
                raise ValueError(f"not a BVH file: expected {word.upper()!r}, found {found[:40]!r}")

    def until(self, mark: str) -> list[str]:
        return list(iter(self.next, mark))

    def number(self, what: str) -> float:
        word = self.next()
        try:
            return float(word)
        except ValueError:
            raise ValueError(f"damaged BVH file: {what} is {word[:40]!r}, not a number") from None

    def channel(self) -> str:
        word = self.next().capitalize()
        if word not in CHANNELS:
            raise ValueError(f"damaged BVH file: unknown channel {word[:40]!r}")
        return word

    def rest(self) -> Array:
        """All words left, as numbers."""
        try:
            values = np.array(self._words[self._at :], dtype=float)
        except ValueError as error:
            raise ValueError(f"damaged BVH file: {error}") from None
        if not np.isfinite(values).all():
            raise ValueError("damaged BVH file: it has values that are not finite numbers")
        return values


def frame_rate(seconds: float) -> float:
    """The rate of a frame time; most files round theirs, so 0.033333 is 30 and 0.041708 is 24 / 1.001."""
    fps = 1.0 / seconds
    for exact in (float(round(fps)), round(fps * 1.001) / 1.001):
        if exact and abs(fps / exact - 1) < 2e-4:
            return exact
    return fps
