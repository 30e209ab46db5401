"""Takes in, results out, made by actors on a Ray cluster: the same as `processes`, on other machines.

Ray places the actors, restarts them when a process or its machine dies, and gives their work to them again. Results
come back as bytes, so that workers need no folder in common and one process writes the manifest.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from kmm.batch.jobs import Failed, Take
from kmm.batch.maker import BATCH_ON_GPU, About, Made, Maker
from kmm.batch.run import Result

ATTEMPTS = 3  #: that a take may have: Ray's own retries are one less
_RESTARTS = -1  # an actor may be restarted as often as need be
_LOOK_SECONDS = 0.1  # between two looks for results, while jobs are waited for


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
        import ray

        try:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ValueError(f"There is no Ray cluster at {address!r}: {error}") from error
        self._ray = ray
        try:
            resources = ray.cluster_resources()
            gpus = int(resources.get("GPU", 0)) if device != "cpu" else 0
            actor: Any = ray.remote(_Actor).options(
                num_cpus=1,
                num_gpus=1 if gpus else 0,
                max_restarts=_RESTARTS,
                max_task_retries=ATTEMPTS - 1,
                max_concurrency=batch_size or (BATCH_ON_GPU if gpus else 1),
            )
            number = count or gpus or max(1, int(resources.get("CPU", 1)))
            self._actors = [actor.remote(weights, device, batch_size) for _ in range(number)]
            self.about: About = ray.get(self._actors[0].about.remote())
        except ray.exceptions.RayError as error:
            self.close()
            raise ValueError(f"The model cannot be loaded on the cluster: {_reason(error)}") from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, takes: Iterable[Take | Failed]) -> Iterator[Result]:
        """A result for every take, as they are done; a `Failed` goes through. `takes` is read as they are needed."""
        source: queue.Queue[Take | Failed | Exception | None] = queue.Queue(maxsize=1)
        threading.Thread(target=_feed, args=(takes, source), name="kmm jobs", daemon=True).start()
        running: dict[Any, tuple[Any, Take]] = {}
        # one take more for an actor than it makes at a time: it has the next at hand when one is done
        room = deque(self._actors * (self.about.batch_size + 1))
        more = True
        while more or running:
            if more and room:
                try:
                    item = source.get(timeout=_LOOK_SECONDS if running else None)
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
                        actor = room.popleft()
                        running[actor.make.remote(item)] = (actor, item)
            if running:
                patience = 0 if more and room else None
                for reference in self._ray.wait(list(running), timeout=patience)[0]:
                    actor, take = running.pop(reference)
                    room.append(actor)
                    yield self._result(take, reference)

    def _result(self, take: Take, reference: Any) -> Result:
        try:
            made = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Failed(take.name, f"It could not be made in {ATTEMPTS} attempts: {_reason(error)}")
        return made if isinstance(made, Failed) else (take, made)

    def close(self) -> None:
        """Ends the actors; a cluster that was started here ends with them."""
        self._ray.shutdown()


class _Actor:
    """What Ray starts on a worker, where kmm must be installed."""

    def __init__(self, weights: str, device: str, batch_size: int | None) -> None:
        self._maker = Maker(weights, device, batch_size)

    def about(self) -> About:
        return self._maker.about

    def make(self, take: Take) -> Made | Failed:
        return self._maker.make(take)


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
