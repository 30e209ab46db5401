"""Takes in, results out, made by processes of this machine: one a core, or one for a GPU.

A process that dies (killed, out of memory) is replaced, and what it was at is tried again elsewhere. Processes are
started afresh rather than forked, talk over pipes, and end when the pipe does, so none outlives this one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import psutil

from kmm.batch.jobs import Failed, Take
from kmm.batch.maker import About, Made, Maker

ATTEMPTS = 3  #: processes that a take may cost before it is given up
_BYTES = 2**30  # of memory that a process needs, generously

Result = tuple[Take, Made] | Failed


@dataclass(frozen=True)
class Unable:
    """Why a process cannot load the model."""

    sentence: str


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    about: About | None = None
    takes: dict[str, Take] = field(default_factory=dict)

    @property
    def room(self) -> int:
        return self.about.batch_size - len(self.takes) if self.about else 0


class Processes:
    """A pool; `about` says what its model is. Use it in a `with` block."""

    about: About

    def __init__(
        self, weights: str, device: str = "auto", count: int | None = None, batch_size: int | None = None
    ) -> None:
        """Loads the model in one process, then in the others. Raises ValueError if it cannot be loaded.

        count None: one for each core that this process may use, as far as memory reaches; on a GPU one.
        """
        self._arguments = (weights, device, batch_size)
        self._workers: list[_Worker] = []
        self._attempts: dict[str, int] = {}
        self._again: deque[Take] = deque()
        self._stillborn = 0  # processes that died before they were ready, since one was
        try:
            self._start()
            while not (ready := self._workers[0].about):
                for _ in self._hear(self._workers[0]):
                    pass
            self.about = ready
            for _ in range((count or _fitting(ready)) - 1):
                self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def count(self) -> int:
        return len(self._workers)

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [worker.process.pid for worker in self._workers if worker.process.pid]

    def run(self, takes: Iterable[Take | Failed]) -> Iterator[Result]:
        """A result for every take, as they are done; a `Failed` goes through. `takes` is read as they are needed."""
        source, end = multiprocessing.Pipe(duplex=False)
        threading.Thread(target=_feed, args=(takes, end), name="kmm jobs", daemon=True).start()
        more = True
        while more or self._again or any(worker.takes for worker in self._workers):
            for worker in self._workers:
                while worker.room > 0 and self._again:
                    self._give(worker, self._again.popleft())
            room = [worker for worker in self._workers if worker.room > 0]
            sources = [source] if more and room else []
            for ready in wait([*sources, *(worker.pipe for worker in self._workers)]):
                if ready is not source:
                    yield from self._hear(next(w for w in self._workers if w.pipe is ready))
                    continue
                try:
                    item = source.recv()
                except EOFError:
                    more = False
                    continue
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, Failed):
                    yield item
                else:
                    self._give(max(room, key=lambda worker: worker.room), item)
        source.close()

    def close(self) -> None:
        """Ends the processes, whatever they are at."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(5.0)
            if worker.process.is_alive():
                worker.process.kill()
        self._workers.clear()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, *self._arguments), name="kmm batch", daemon=True
        )
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))

    def _give(self, worker: _Worker, take: Take) -> None:
        worker.takes[take.name] = take
        with contextlib.suppress(OSError):  # it has died: noticed when it is heard
            worker.pipe.send(take)

    def _hear(self, worker: _Worker) -> Iterator[Result]:
        """What a process says: that it is ready, a result, or that it has died."""
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._replace(worker)
            return
        if isinstance(message, Unable):
            raise ValueError(message.sentence)
        if isinstance(message, About):
            worker.about, self._stillborn = message, 0
            return
        name, result = message
        take = worker.takes.pop(name)
        self._attempts.pop(name, None)
        yield result if isinstance(result, Failed) else (take, result)

    def _replace(self, worker: _Worker) -> Iterator[Result]:
        self._workers.remove(worker)
        worker.process.join(5.0)
        code = worker.process.exitcode
        self._stillborn += worker.about is None
        if self._stillborn >= ATTEMPTS:
            raise ValueError(
                f"The processes that should make the motions die at their start (exit code {code})."
            )
        for take in worker.takes.values():
            self._attempts[take.name] = self._attempts.get(take.name, 0) + 1
            if self._attempts[take.name] < ATTEMPTS:
                self._again.append(take)
            else:
                yield Failed(
                    take.name, f"Its process died {ATTEMPTS} times, the last time with exit code {code}."
                )
        self._start()


def _fitting(about: About) -> int:
    if not about.device.startswith("cpu"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, psutil.virtual_memory().available // _BYTES + 1))


def _feed(takes: Iterable[Take | Failed], end: Connection) -> None:
    """Puts the takes into a pipe, no faster than they are taken out: reading jobs may have to wait for them."""
    with contextlib.suppress(OSError), end:  # nobody reads any more
        try:
            for take in takes:
                end.send(take)
        except Exception as problem:
            end.send(problem)


def _work(pipe: Connection, weights: str, device: str, batch_size: int | None) -> None:
    """A process: makes what comes through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes the manifest
    try:
        maker = Maker(weights, device, batch_size)
    except ImportError as error:
        pipe.send(Unable(f"{error.name or error} is not installed; `kmm doctor` tells what is missing."))
        return
    except (OSError, ValueError) as error:
        pipe.send(Unable(str(error)))
        return
    sending = threading.Lock()

    def make(take: Take) -> None:
        result = maker.make(take)
        with sending, contextlib.suppress(OSError):
            pipe.send((take.name, result))

    with ThreadPoolExecutor(maker.about.batch_size) as threads, contextlib.suppress(EOFError, OSError):
        pipe.send(maker.about)
        while True:
            threads.submit(make, pipe.recv())
