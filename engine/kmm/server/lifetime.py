"""When an engine ends: told to by a signal or a client, without work for too long, or with its parent."""

from __future__ import annotations

import signal
import time

import psutil

_WATCH_SECONDS = 1.0  # between two looks at the parent process
_LAST_WORDS_SECONDS = 2.0  # that an end at once takes for clients that do not read


class Lifetime:
    """`over` becomes true when it is time. Before that it may be `draining`: what runs may finish, and no more."""

    def __init__(self, idle_timeout: float | None, parent_pid: int | None, drain: float) -> None:
        """As for `Engine`. Raises ValueError for a pid that is not there."""
        try:
            self._parent = None if parent_pid is None else psutil.Process(parent_pid)
        except (psutil.Error, OverflowError) as problem:
            raise ValueError(f"there is no process {parent_pid} to watch") from problem
        self.over = False
        self._idle_timeout = idle_timeout
        self._drain = drain
        self._drained: float | None = None  # when draining is at an end
        self._started = self._used = self._watched = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def draining(self) -> bool:
        return self._drained is not None

    @property
    def last_words(self) -> float:
        """Seconds that are left to clients that do not read, when it is over: the rest of draining, at least two."""
        return max(_LAST_WORDS_SECONDS, (self._drained or 0.0) - time.monotonic())

    def use(self) -> None:
        """Somebody wants something of the engine."""
        self._used = time.monotonic()

    def end(self) -> None:
        """Ends it at once."""
        self.over = True
        if self._drained is not None:
            self._drained = time.monotonic()

    def on_signal(self, number: int, _: object) -> None:
        """SIGTERM asks for an end in good order, and once more, or any other signal, for one at once."""
        if number == signal.SIGTERM and self._drain > 0 and not self.draining:
            self._drained = time.monotonic() + self._drain
        else:
            self.end()

    def watch(self, busy: bool) -> None:
        """To be called again and again; `busy` says whether a request is running."""
        now = time.monotonic()
        if busy:
            self._used = now
        if self._drained is not None and (not busy or now > self._drained):
            self.over = True
        if self._idle_timeout is not None and now - self._used > self._idle_timeout:
            self.over = True
        if self._parent and now > self._watched + _WATCH_SECONDS:
            self._watched = now
            self.over |= not _alive(self._parent)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
