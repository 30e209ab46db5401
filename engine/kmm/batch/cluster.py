"""Takes in, results out, made by actors on a Ray cluster: the same as `processes`, on other machines.

Ray places the actors where there is a GPU or a processor for each, and starts them anew when a process or a whole
machine dies; what they were at is given to others in the meantime. Results come back as bytes, so that workers need
no folder in common and one process writes the manifest.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from kmm.batch.jobs import Failed, Take
from kmm.batch.maker import BATCH_ON_GPU, About, Made, Maker
from kmm.batch.run import Result

ATTEMPTS = 3  #: actors that a take may cost before it is given up
_LOOK_SECONDS = 0.1  # between two looks for results while jobs are waited for, and the other way round
_START_SECONDS = 900.0  # until an actor must be there: a cluster may have to start machines first
_CONNECT_SECONDS = (
    10.0  # until a cluster's address must answer: Ray itself would ask for a quarter of an hour
)
_NODE_SECONDS = "60"  # that Ray gives a node on this machine, which may be busy, to start


class Cluster:
    """Actors with a model each; `about` says what it is. Use it in a `with` block."""

    def __init__(
        self,
        address: str,
        weights: str,
        device: str = "auto",
        count: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        """address: "local" for a cluster on this machine, "auto" for the running one, or a cluster's address.

        count None: an actor for every GPU, or where there is none for every processor. Raises ValueError if the
        cluster cannot be reached or the model not be loaded, ImportError without Ray.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unasked
        os.environ.setdefault("RAY_raylet_start_wait_time_s", _NODE_SECONDS)
        import ray

        self._ray = ray
        self._stack = contextlib.ExitStack()
        # what Ray has to say to people goes beside what a command prints for scripts
        self._stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            _knock(address)
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:  # what Ray raises is of any type, down to a bare Exception
            self.close()
            raise ValueError(f"There is no Ray cluster at {address!r}: {_reason(error)}") from error
        self._attempts: dict[str, int] = {}
        self._again: deque[Take] = deque()
        try:
            resources = ray.cluster_resources()
            gpus = int(resources.get("GPU", 0)) if device != "cpu" else 0
            actor: Any = ray.remote(_Actor).options(
                num_cpus=1,
                num_gpus=1 if gpus else 0,
                max_restarts=-1,
                max_concurrency=batch_size or (BATCH_ON_GPU if gpus else 1),
            )
            number = count or gpus or max(1, int(resources.get("CPU", 1)))
            actors = [actor.remote(weights, device, batch_size) for _ in range(number)]
            self._running: dict[Any, tuple[Any, Take | None]] = {
                _ask(actor): (actor, None) for actor in actors
            }
            self._room: deque[Any] = deque()  # an actor stands there as often as it can take in a take
            first = ray.wait(list(self._running), timeout=_START_SECONDS)[0]
            if not first:
                raise ValueError(f"no worker was ready within {_START_SECONDS:g} seconds")
            about = ray.get(first[0])
            if isinstance(about, str):
                raise ValueError(about)
            self.about: About = about
        except (ray.exceptions.RayError, ValueError) as error:
            self.close()
            raise ValueError(f"The model cannot be loaded on the cluster: {_reason(error)}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, takes: Iterable[Take | Failed]) -> Iterator[Result]:
        """A result for every take, as they are done; a `Failed` goes through. `takes` is read as they are needed."""
        source: queue.Queue[Take | Failed | Exception | None] = queue.Queue(maxsize=1)
        threading.Thread(target=_feed, args=(takes, source), name="kmm jobs", daemon=True).start()
        more = True
        while more or self._again or any(take for _, take in self._running.values()):
            while self._room and self._again:
                self._give(self._again.popleft())
            if more and self._room:
                try:
                    item = source.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    pass
                else:
                    if isinstance(item, Exception):
                        raise item
                    if isinstance(item, Failed):
                        yield item
                    elif item is None:
                        more = False
                    else:
                        self._give(item)
            if self._running:
                patience = 0 if more and self._room else _LOOK_SECONDS
                for reference in self._ray.wait(list(self._running), timeout=patience)[0]:
                    yield from self._take_in(reference)
            elif not self._room:
                raise ValueError("No worker of the cluster is left that can load the model.")

    def _give(self, take: Take) -> None:
        actor = self._room.popleft()
        self._running[actor.make.remote(take)] = (actor, take)

    def _take_in(self, reference: Any) -> Iterator[Result]:
        """What has come: that an actor is there, a result, or that an actor has died."""
        actor, take = self._running.pop(reference)
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if take is None:  # this actor will never be
                return
            self._attempts[take.name] = self._attempts.get(take.name, 0) + 1
            if self._attempts[take.name] < ATTEMPTS:
                self._again.append(take)
            else:
                yield Failed(take.name, f"It could not be made in {ATTEMPTS} attempts: {_reason(error)}")
            self._room = deque(other for other in self._room if other is not actor)
            if (actor, None) not in self._running.values():
                self._running[_ask(actor)] = (actor, None)
            return
        if isinstance(answer, str):  # nor will this one
            return
        if take is None:
            busy = sum(other is actor for other, _ in self._running.values())
            self._room.extend([actor] * (self.about.batch_size - busy))
            return
        self._room.append(actor)
        self._attempts.pop(take.name, None)
        yield answer if isinstance(answer, Failed) else (take, answer)

    def close(self) -> None:
        """Ends the actors; a cluster that was started here ends with them."""
        self._ray.shutdown()
        self._stack.close()


class _Actor:
    """What Ray starts on a worker, where kmm must be installed."""

    def __init__(self, weights: str, device: str, batch_size: int | None) -> None:
        self._maker: Maker | None = None
        try:
            self._maker = Maker(weights, device, batch_size)
        except Exception as error:  # told by `about`: Ray would start it again, and print where it happened
            self._why_not = str(error) or type(error).__name__

    def about(self) -> About | str:
        """What the model is, or why there is none."""
        return self._maker.about if self._maker else self._why_not

    def make(self, take: Take) -> Made | Failed:
        if self._maker is None:
            raise RuntimeError(self._why_not)
        return self._maker.make(take)


def _knock(address: str) -> None:
    """Whether anybody is at an address of the kind "host:port". Raises OSError, ValueError."""
    host, colon, port = address.rpartition(":")
    if colon and "/" not in address:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()


def _ask(actor: Any) -> Any:
    """A question that an actor answers once it is there, however often it has to be started for that."""
    return actor.about.options(max_task_retries=-1).remote()


def _feed(takes: Iterable[Take | Failed], source: queue.Queue[Take | Failed | Exception | None]) -> None:
    """Puts the takes into a queue, no faster than they are taken out: reading jobs may have to wait for them."""
    try:
        for take in takes:
            source.put(take)
        source.put(None)
    except Exception as problem:
        source.put(problem)


def _reason(error: Exception) -> str:
    """The last line says what went wrong, those before where."""
    lines = [
        line.strip() for line in str(getattr(error, "cause", None) or error).splitlines() if line.strip()
    ]
    return lines[-1] if lines else type(error).__name__
