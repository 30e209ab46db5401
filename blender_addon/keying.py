"""Writing poses that arrive in pieces as keys, without ever holding up Blender.

All points of a curve are added once, since the length is known; what arrives is written over them, in bulk.
(`keyframe_insert` searches and sorts each time: 200 frames of 24 bones take it half a minute.) Everything that
was received is also kept in one array, so a curve can be filled again at any moment: after an undo, or to cut
the file that is saved in the middle of a generation down to the keys that hold a pose.

Blender evaluates a copy of the action, and makes it anew, as a whole, after whatever it calls a change: of a motion
of ten minutes that is 120 MB. In 4.2 writing in bulk is none in its eyes, so the same is written into the copy as
well. From 4.3 on it is one: a pass that writes costs a copy there, which is why little more is done in it, and why
a long motion is worn as `Thinned` while it comes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from . import action_api, kept_keys
from .kept_keys import Keys, Stretch

NO_FRAMES = np.zeros(0, np.float32)
THIRD = 1 / 3  #: of a frame: as long a handle as a cubic through keys at every frame has
HANDLES = ("handle_left", "handle_right")
#: What a point that Blender has added does not have by itself.
FRESH = ("co", "interpolation", "type")


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
        self.action_uid = action.session_uid
        self._channels = tuple(channels)
        frames = np.arange(first_frame, first_frame + length, dtype=np.float32)
        self._frames = frames if made is None else frames[made]
        rest = np.array([c.rest for c in channels], dtype=np.float32)
        self._values: NDArray[np.float32] = np.repeat(rest[:, None], len(self._frames), axis=1)
        self._filled = np.full(len(self._channels), -1)  # frames that each curve holds; -1: has no points
        self._kept = kept
        self._kept_keys: dict[int, Keys] = {}  # what is kept of each channel, once it was read
        self._received = 0

    @property
    def received(self) -> int:
        """Frames that there are values of."""
        return self._received

    @property
    def length(self) -> int:
        return len(self._frames)

    @property
    def points(self) -> int:
        """Keys that a curve has in the end, those that are kept included."""
        return self.length + len(self._kept_frames(0))

    @property
    def written(self) -> int:
        """Frames that every curve holds."""
        return max(0, int(self._filled.min()))

    @property
    def reached(self) -> int:
        """Frames of the motion that every curve shows."""
        return self.written

    def action(self) -> bpy.types.Action:
        """The action that is keyed. Raises Removed."""
        action = action_api.find_action(self.action_uid)
        if action is None:
            raise Removed
        return action

    def append(self, values: NDArray[np.floating]) -> None:
        """Take the next (n, channels) values; what goes beyond the length is dropped. `write` writes them."""
        values = values[: self.length - self.received]
        self._values[:, self._received : self._received + len(values)] = values.T
        self._received += len(values)

    def replace(self, values: NDArray[np.floating]) -> None:
        """Take all (length, channels) values anew, whatever was there. `write` writes them."""
        self._values[:] = values.T
        self._received = self.length
        self.invalidate()

    def forget(self) -> None:
        """Take back all that was received."""
        self._received = 0

    def write(self, budget: float = float("inf")) -> bool:
        """Write what is not yet written, for at most about `budget` seconds; True when nothing is left.

        Blender need not notice: tag the object to have it shown. Raises Removed.
        """
        deadline = time.perf_counter() + budget
        curves, copies = None, []
        for i in np.argsort(self._filled, kind="stable").tolist():  # those that are behind most first
            if self._filled[i] == self.received:
                break
            if curves is None:
                curves, copies = self._curves(), self._copies()
            self._write_curve(curves[i], i, copies)
            if time.perf_counter() > deadline:
                break
        return self.written == self.received

    def tag(self) -> None:
        """Have Blender evaluate the action anew, at the price of copying it. Raises Removed."""
        self.action().update_tag(refresh={"TIME"})

    def prepare(self, budget: float) -> None:
        """Add the points of curves that have none yet, for at most about `budget` seconds. Raises Removed."""
        deadline = time.perf_counter() + budget
        curves = None
        for i in np.flatnonzero(self._filled < 0).tolist():
            if curves is None:
                curves = self._curves()
            self._fill(curves[i], i, self.length, fresh=True)
            if time.perf_counter() > deadline:
                break

    def trim(self) -> None:
        """Leave only keys that hold a pose. `write` adds the other points again. Raises Removed."""
        if self.written == self.length:
            return self.tag()
        for i, curve in enumerate(self._curves()):
            self._fill(curve, i, self.received, fresh=True)
        self._filled[:] = -1
        self.tag()

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

    def _copies(self) -> list[dict[tuple[str, int], bpy.types.FCurve]]:
        """The curves of the copies that Blender evaluates, by path and index."""
        slot = self._kept.slot if self._kept else ""
        copies = action_api.evaluated(self.action())
        return [{(c.data_path, c.array_index): c for c in action_api.curves(copy, slot)} for copy in copies]

    def _write_curve(
        self,
        curve: bpy.types.FCurve,
        i: int,
        copies: Sequence[dict[tuple[str, int], bpy.types.FCurve]],
    ) -> None:
        total = self.length + len(self._kept_frames(i))
        fresh = self._filled[i] < 0 or len(curve.keyframe_points) != total
        co = self._fill(curve, i, self.length, fresh)
        for copy in copies:
            copied = copy.get((curve.data_path, curve.array_index))
            if copied is not None and len(copied.keyframe_points) == total:
                copied.keyframe_points.foreach_set("co", co.ravel())

    def _fill(self, curve: bpy.types.FCurve, i: int, length: int, fresh: bool) -> NDArray[np.float32]:
        """Make the curve hold exactly the first `length` frames (those not yet received at rest) and what is kept.

        fresh: whether the points may be other than our own of before. Gives the keys' frames and values (n, 2).
        """
        ended = 0 < length <= self.received  # from now on somebody may edit the curve
        names = ("co", *(HANDLES if ended else ()))
        if fresh:
            names = tuple(kept_keys.PARTS) if self._kept is not None else (*FRESH, *names[1:])
        keys = kept_keys.new_keys(self._frames[:length], self._values[i, :length], names)
        if ended:
            keys |= dict(zip(HANDLES, smooth_handles(keys["co"]), strict=True))
        if self._kept is not None:
            self._kept_frames(i)
            keys = kept_keys.join([self._kept_keys[i], keys], names)
        kept_keys.write(curve, keys)
        self._filled[i] = self.received
        return keys["co"]

    def _kept_frames(self, i: int) -> NDArray[np.float32]:
        """Frames of the old keys that stay in channel i."""
        if self._kept is None:
            return NO_FRAMES
        if i not in self._kept_keys:
            self._kept_keys[i] = self._kept.keys(self._channels[i])
        return self._kept_keys[i]["co"][:, 0]


class Thinned(Keyer):
    """Every few keys of another keyer's, in a copy of its action: at most about `most` of a curve that is keyed, and
    as many that are kept. It takes nothing itself but shows what the other has received.

    A file never gets it but where it is worn: it has no fake user.
    """

    def __init__(self, whole: Keyer, most: int) -> None:
        """Raises Removed."""
        action = action_api.copy_action(whole.action(), f"{whole.action().name} (live)")
        action.use_fake_user = False
        super().__init__(action, whole._channels, 0, 0, None, whole._kept)
        self._whole, self._most = whole, most
        self._step = max(1, math.ceil(whole.length / most))
        self._frames, self._values = whole._frames[:: self._step], whole._values[:, :: self._step]  # views

    @property
    def received(self) -> int:
        return math.ceil(self._whole.received / self._step)

    @property
    def reached(self) -> int:
        return max(0, (self.written - 1) * self._step + 1)

    def _kept_frames(self, i: int) -> NDArray[np.float32]:
        if self._kept is not None and i not in self._kept_keys:
            self._whole._kept_frames(i)
            self._kept_keys[i] = kept_keys.thinned(self._whole._kept_keys[i], self._most)
        return super()._kept_frames(i)


def smooth_handles(co: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Left and right handles (n, 2) of keys (n, 2), for whoever makes linear keys Bezier ones: such a curve is smooth
    and overshoots nowhere (Fritsch and Carlson, "Monotone Piecewise Cubic Interpolation", 1980)."""
    steps = np.diff(co[:, 1]) / np.diff(co[:, 0])
    before, after = np.append(0.0, steps), np.append(steps, 0.0)
    least = 3 * np.minimum(np.abs(before), np.abs(after))
    slopes = np.where(before * after > 0, np.clip((before + after) / 2, -least, least), 0.0)
    reach = np.stack([np.ones(len(co)), slopes], axis=1) * THIRD
    return (co - reach).astype(np.float32), (co + reach).astype(np.float32)
