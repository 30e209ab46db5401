"""Writing poses that arrive in pieces as keys, at a cost for each piece that does not grow with the motion.

All points of a curve are added once, since the length is known; what arrives is written into them in slices.
(`keyframe_insert` searches and sorts each time: 200 frames of 24 bones take it half a minute.) Everything that
was received is also kept in one array, so a curve can be filled again at any moment: after an undo, or to cut
the file that is saved in the middle of a generation down to the keys that hold a pose.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from . import action_api, kept_keys
from .kept_keys import Keys, Stretch

SLICE_COST = 20  #: writing one point by item costs about as much as so many by foreach_set
NO_FRAMES = np.zeros(0, np.float32)


class Channel(NamedTuple):
    """What one F-curve animates, the group it is shown in, and its value at rest."""

    data_path: str
    index: int
    group: str
    rest: float


class Removed(Exception):
    """The action is gone: undone, or deleted by the user."""


class Kept(NamedTuple):
    """What stays of an old action, in an action made by `action_api.copy_action` from it."""

    action_uid: int
    slot: str  #: the identifier of the action's slot, "" for the first
    stretches: Sequence[Stretch]

    def keys(self, channel: Channel) -> Keys:
        """The keys of one channel that stay. Raises Removed."""
        action = action_api.find_action(self.action_uid)
        if action is None:
            raise Removed
        curve = action_api.curves(action, self.slot).find(channel.data_path, index=channel.index)
        return kept_keys.kept(curve, self.stretches)


class Keyer:
    """Keys frames from `first_frame` on into an action made by `action_api.new_action` or `copy_action`.

    made: (length,) which of the frames are keyed; None: all. Between and around them stay the keys of the old action
    that `kept` names.
    """

    def __init__(
        self,
        action: bpy.types.Action,
        channels: Sequence[Channel],
        first_frame: int,
        length: int,
        made: NDArray[np.bool_] | None = None,
        kept: Kept | None = None,
    ) -> None:
        # the id, not the object: a reference to Blender's data does not outlive an undo
        self._action_uid = action.session_uid
        self._channels = tuple(channels)
        frames = np.arange(first_frame, first_frame + length, dtype=np.float32)
        self._frames = frames if made is None else frames[made]
        rest = np.array([c.rest for c in channels], dtype=np.float32)
        self._values: NDArray[np.float32] = np.repeat(rest[:, None], len(self._frames), axis=1)
        self._filled = np.full(len(self._channels), -1)  # frames that each curve holds; -1: has no points
        self._kept = kept
        self._kept_keys: dict[int, Keys] = {}  # what is kept of each channel, once it was read
        self.received = 0

    @property
    def length(self) -> int:
        return len(self._frames)

    @property
    def written(self) -> int:
        """Frames that every curve holds."""
        return max(0, int(self._filled.min()))

    def action(self) -> bpy.types.Action:
        """The action that is keyed. Raises Removed."""
        action = action_api.find_action(self._action_uid)
        if action is None:
            raise Removed
        return action

    def append(self, values: NDArray[np.floating]) -> None:
        """Take the next (n, channels) values; what goes beyond the length is dropped. `write` writes them."""
        values = values[: self.length - self.received]
        self._values[:, self.received : self.received + len(values)] = values.T
        self.received += len(values)

    def replace(self, values: NDArray[np.floating]) -> None:
        """Take all (length, channels) values anew, whatever was there. `write` writes them."""
        self._values[:] = values.T
        self.received = self.length
        self.invalidate()

    def write(self, budget: float = float("inf")) -> bool:
        """Write what is not yet written, for at most about `budget` seconds; True when nothing is left.

        Raises Removed.
        """
        deadline = time.perf_counter() + budget
        curves = None
        for i in np.argsort(self._filled, kind="stable"):  # those that are behind most first
            if self._filled[i] == self.received:
                break
            if curves is None:
                curves = self._curves()
            self._write_curve(curves[i], int(i))
            if time.perf_counter() > deadline:
                break
        if curves is not None:
            self.action().update_tag()
        return self.written == self.received

    def prepare(self, budget: float) -> None:
        """Add the points of curves that have none yet, for at most about `budget` seconds. Raises Removed."""
        deadline = time.perf_counter() + budget
        curves = None
        for i in np.flatnonzero(self._filled < 0).tolist():
            if curves is None:
                curves = self._curves()
            self._fill(curves[i], i, self.length)
            if time.perf_counter() > deadline:
                break

    def trim(self) -> None:
        """Leave only keys that hold a pose. `write` adds the other points again. Raises Removed."""
        for i, curve in enumerate(self._curves()):
            self._fill(curve, i, self.received)
            curve.update()
        self._filled[:] = -1

    def invalidate(self) -> None:
        """Undo or redo may have changed any curve: fill them all again at the next `write`."""
        self._filled[:] = -1

    def _curves(self) -> list[bpy.types.FCurve]:
        """The curves in the order of the channels, made where they are missing."""
        collection = action_api.curves(self.action(), self._kept.slot if self._kept else "")
        there = {(c.data_path, c.array_index): c for c in collection}
        missing = [c for c in self._channels if (c.data_path, c.index) not in there]
        for channel in missing:
            action_api.new_curve(collection, channel.data_path, channel.index, channel.group)
        if missing:  # new curves may have moved the others in memory
            there = {(c.data_path, c.array_index): c for c in collection}
        return [there[c.data_path, c.index] for c in self._channels]

    def _write_curve(self, curve: bpy.types.FCurve, i: int) -> None:
        start, stop = int(self._filled[i]), self.received
        points = curve.keyframe_points
        total = self.length + len(self._kept_frames(i))
        if start < 0 or len(points) != total:
            self._fill(curve, i, self.length)
        elif (stop - start) * SLICE_COST > total:
            self._fill(curve, i, self.length, fresh=False)
        else:
            for point, frame, value in self._slice(points, i, start, stop):
                point.co = (frame, value)
        self._filled[i] = stop
        if stop == self.length:
            curve.update()  # handles, for whoever edits the curve later

    def _slice(
        self, points: bpy.types.FCurveKeyframePoints, i: int, start: int, stop: int
    ) -> Iterator[tuple[bpy.types.Keyframe, float, float]]:
        frames = self._frames[start:stop]
        if self._kept is None:
            found = points[start:stop]
        else:
            at = np.arange(start, stop) + np.searchsorted(self._kept_frames(i), frames)
            found = [points[p] for p in at.tolist()]
        return zip(found, frames.tolist(), self._values[i, start:stop].tolist(), strict=True)

    def _fill(self, curve: bpy.types.FCurve, i: int, length: int, fresh: bool = True) -> None:
        """Make the curve hold exactly the first `length` frames (those not yet received at rest) and what is kept.

        fresh: whether the points may be other than our own of before.
        """
        keys = kept_keys.new_keys(self._frames[:length], self._values[i, :length])
        if self._kept is not None:
            self._kept_frames(i)
            keys = kept_keys.join([self._kept_keys[i], keys])
        elif fresh:
            keys = {name: keys[name] for name in ("interpolation", "type", "co")}
        else:
            keys = {"co": keys["co"]}
        kept_keys.write(curve, keys)
        self._filled[i] = self.received

    def _kept_frames(self, i: int) -> NDArray[np.float32]:
        """Frames of the old keys that stay in channel i."""
        if self._kept is None:
            return NO_FRAMES
        if i not in self._kept_keys:
            self._kept_keys[i] = self._kept.keys(self._channels[i])
        return self._kept_keys[i]["co"][:, 0]
