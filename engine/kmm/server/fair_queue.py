"""The queue of several clients: one request of each in turn, so that none waits for all of another's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import zip_longest
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """What can wait: something of a client's."""

    @property
    def client(self) -> bytes: ...


J = TypeVar("J", bound=Queued)


class FairQueue(Generic[J]):
    """Round robin over clients; a client's own come in the order in which they were added.

    Iterating gives all that wait in the order of their turns, as it would be if nothing came in between.
    """

    def __init__(self) -> None:
        self._lines: dict[
            bytes, deque[J]
        ] = {}  # client -> what it waits for; the first client's turn is next

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[J]:
        for turn in zip_longest(*self._lines.values()):
            yield from (job for job in turn if job is not None)

    def add(self, job: J) -> None:
        """At the end of its client's line; a client that waited for nothing is the last to have its turn."""
        self._lines.setdefault(job.client, deque()).append(job)

    def next(self) -> J | None:
        """Takes out whose turn it is, and puts its client behind the others."""
        if not self._lines:
            return None
        client = next(iter(self._lines))
        line = self._lines.pop(client)
        job = line.popleft()
        if line:
            self._lines[client] = line
        return job

    def remove(self, job: J) -> None:
        """Takes out one that does not want its turn any more."""
        line = self._lines[job.client]
        line.remove(job)
        if not line:
            del self._lines[job.client]

    def of(self, client: bytes) -> list[J]:
        """What a client waits for."""
        return list(self._lines.get(client, ()))
