"""The thread that computes: takes one job after the other and runs the pipeline for it.

PyTorch lets go of Python's lock while it computes, so a thread is enough for the talking side to stay awake;
a second process would cost its memory and its start.
"""

from __future__ import annotations

import queue
import secrets
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from kmm.given import Given
from kmm.model.replies import replies
from kmm.protocol import ERROR_CODES, Done, Error, Frames, Generate, Reply

_BUFFERED_EVENTS = 8  # how far the worker may run ahead of the client


class Pipeline(Protocol):
    """What the engine needs of `kmm.model.pipeline.Pipeline`."""

    name: str
    licence: str
    sha256: str
    device: Any
    prompts: Mapping[str, tuple[str, ...]]  #: known to come out right, by kind

    def familiarity(self, prompts: Sequence[str]) -> tuple[float, ...]:
        """How near each prompt is to the training captions, 0 to 1; nothing where that is not known."""

    def generate(
        self,
        segments: Any,
        seed: int = 0,
        guidance: float | None = None,
        *,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
    ) -> Iterator[Any]:
        """Yields Progress(done, total) and Frames(start, translation, rotations, contacts)."""


def error(code: str, message: str, request_id: str) -> Error:
    """The error message, with the code's own advice on what to do."""
    return Error(code=code, message=message[:2000], action=ERROR_CODES[code], request_id=request_id)


class Job:
    """One request of one client, and the events that wait to be sent: a few, then the worker waits."""

    def __init__(self, client: bytes, request: Generate) -> None:
        self.client = client
        self.request = request
        self.frames_done = 0
        self.queued = time.monotonic()  # when it came
        self.position: int | None = None  # in the queue, as its client was last told
        self._events: deque[Reply] = deque()
        self._cancelled: Error | None = None
        self._changed = threading.Condition()

    @property
    def id(self) -> str:
        return self.request.request_id

    def put(self, event: Reply) -> bool:
        """Adds an event, waiting for room; False once the job is cancelled."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._cancelled is not None or len(self._events) < _BUFFERED_EVENTS
            )
            if self._cancelled:
                return False
            if isinstance(event, Frames):
                self.frames_done += event.count
            self._events.append(event)
            return True

    def finish(self, event: Done | Error) -> None:
        """Adds the last event; there is always room for it."""
        with self._changed:
            self._events.append(self._cancelled or event)

    def cancel(self, code: str = "cancelled", message: str = "The request was cancelled.") -> None:
        """Makes the worker stop before its next network evaluation, and forgets what waits to be sent."""
        with self._changed:
            if not any(isinstance(event, (Done, Error)) for event in self._events):
                self._cancelled = error(code, message, self.id)
                self._events.clear()
                self._changed.notify_all()

    def first(self) -> Reply | None:
        """The event to send next, if there is one."""
        with self._changed:
            return self._events[0] if self._events else None

    def sent(self, event: Reply) -> None:
        """Removes an event that has been sent, unless `cancel` has done it already."""
        with self._changed:
            if self._events and self._events[0] is event:
                self._events.popleft()
                self._changed.notify_all()


class Worker:
    """Runs jobs on a thread of its own and calls `notify` after every event."""

    def __init__(self, pipeline: Pipeline, notify: Callable[[], None]) -> None:
        self._pipeline = pipeline
        self._notify = notify
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="kmm worker", daemon=True)
        self._thread.start()

    def start(self, job: Job) -> None:
        self._jobs.put(job)

    def close(self, timeout: float) -> None:
        """Ends the thread; a running job must have been cancelled."""
        self._jobs.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                last: Done | Error = self._compute(job)
            except Exception as problem:
                traceback.print_exc(file=sys.stderr)
                last = error("engine_failure", f"The engine failed: {problem!r}.", job.id)
            job.finish(last)
            self._notify()

    def _compute(self, job: Job) -> Done | Error:
        request, start = job.request, time.monotonic()
        seed = secrets.randbelow(2**31) if request.seed is None else request.seed
        try:
            messages = replies(self._pipeline, request, seed)
        except ValueError as problem:  # the model cannot do what is asked, and says so before it starts
            return error("invalid", str(problem), job.id)
        with closing(messages):  # cancelling is leaving the generator between two of its events
            for message in messages:
                if not job.put(message):
                    return error("cancelled", "The request was cancelled.", job.id)
                self._notify()
        return Done(
            frames=job.frames_done,
            seconds=time.monotonic() - start,
            seed=seed,
            seeds=tuple(range(seed, seed + request.num_samples)),
            familiarity=self._pipeline.familiarity([segment.prompt for segment in request.segments]),
            request_id=job.id,
        )
