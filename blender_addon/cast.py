"""All who perform one motion, the character and those that follow it, and the pace at which they show what comes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress

import bpy

from . import action_api
from .keying import Removed
from .performance import Performance
from .performer import followers_of, maker
from .request import Request, UserError

#: Between two rounds of writing, for each key of a curve: a round goes over all of them.
WRITE_PAUSE_SECONDS = 1e-4


class Cast:
    """Makes room for the keys of all of them at once."""

    def __init__(self, scene: bpy.types.Scene, obj: bpy.types.Object, request: Request) -> None:
        """obj: the character. Raises UserError."""
        self.character = Performance(scene, obj, maker(scene, obj), request, request.name, request.base)
        self._complete = False  # all has come
        self._behind = True  # somebody has yet to write what came
        self._goal = 0  # keys that every curve shall hold before they are shown
        self._unshown = False  # something was written since it was last shown
        self._showed = -math.inf  # when that was
        self._followers: list[Performance] = []
        try:
            self._followers += followers_of(scene, obj, request)
        except UserError:
            self.character.discard()
            raise

    def all(self, do: Callable[[Performance], object]) -> None:
        """Do something with each; a follower that is gone is passed over.

        Raises what it raises with the character, in the end.
        """
        try:
            do(self.character)
        finally:
            for follower in self._followers:
                with suppress(Removed, UserError):
                    do(follower)

    def tweaked(self) -> str:
        """Why nothing can be put on one of them, which is in the NLA's tweak mode; "" where none is."""
        for performance in (self.character, *self._followers):
            with suppress(Removed):
                if reason := action_api.tweaked(performance.object()):
                    return reason
        return ""

    def complete(self) -> None:
        """All has come."""
        self.all(Performance.complete)
        self._complete, self._behind = True, True

    def invalidate(self) -> None:
        """Undo may have taken back keys that were written since."""
        self.all(Performance.invalidate)
        self._unshown, self._behind = True, True

    def write(self, budget: float) -> bool:
        """Write what came, or show what is written, which takes a pass of its own. Whether all that came is shown.

        budget: about so many seconds, for each of them. Raises Removed.
        """
        keyer = self.character.keyer
        if keyer.received == 0:
            keyer.prepare(budget)
            return True
        if not self._behind if self._complete else keyer.written >= self._goal:
            if self._unshown:
                self.all(Performance.put_on)
                self._unshown, self._showed = False, time.monotonic()
                return False
            unhurried = not self._complete and math.isfinite(budget)
            if unhurried and time.monotonic() < self._showed + WRITE_PAUSE_SECONDS * keyer.points:
                return False
            self._goal = keyer.received
        before, written = keyer.written, []
        self.all(lambda performance: written.append(performance.write(budget)))
        self._behind = not all(written)
        self._unshown |= self._behind or keyer.written != before
        return not self._behind and not self._unshown
