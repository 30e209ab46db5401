"""Client: talks to a running engine; for the Blender add-on and for scripts. Needs numpy, pyzmq and msgpack.

    with Client.connect(path) as client:
        for event in client.stream(["a person walks forward@3"], seed=1):
            ...  # Progress and Frames

`generate`, `events` and `poll` do the same in parts, for programs with a loop of their own.

A client is used from one thread. It has no thread of its own (ZeroMQ has), so it notices what happened when
it is asked: in `events`, or in `poll`, which never waits.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from kmm import __version__
from kmm.clip import Clip
from kmm.given import Given
from kmm.link import ClientError, EngineGone, EngineTimeout, Link, expected, read_connection_file
from kmm.protocol import (
    Connection,
    Done,
    Error,
    Frames,
    Generate,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Progress,
    PromptSegment,
    Reply,
    Request,
    Shutdown,
    Status,
    StatusReply,
    Welcome,
)
from kmm.source import Prompt, as_segments, assemble, assemble_takes

__all__ = ["Client", "ClientError", "EngineGone", "EngineTimeout", "assemble", "read_connection_file"]

R = TypeVar("R", bound=Reply)


class Client:
    """A connection to one engine; see the module's docstring. Make it with `Client.connect`."""

    welcome: Welcome  #: what the engine is and can do

    def __init__(self, connection: Connection) -> None:
        self._link = Link(connection)
        self._generations: set[str] = set()

    @classmethod
    def connect(
        cls,
        connection_file: str | os.PathLike[str],
        timeout: float = 5.0,
        name: str = f"kmm {__version__}",
    ) -> Client:
        """A client of the engine that wrote `connection_file`; `name` is for the engine's log.

        Raises ClientError: EngineGone if no engine is there or it refuses the keys, EngineTimeout after
        `timeout` seconds without an answer.
        """
        client = cls(read_connection_file(connection_file))
        try:
            client.welcome = client._ask(Hello(client=name), Welcome, timeout)
        except BaseException:
            client.close()
            raise
        return client

    def generate(
        self,
        segments: Iterable[PromptSegment],
        seed: int | None = None,
        guidance: float | None = None,
        *,
        num_samples: int = 1,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
    ) -> str:
        """Asks for one motion; gives the request id for `events`, `poll` and `cancel` without waiting.

        seed None: the engine draws one and names it in Done. num_samples: so many takes, of which take k has k
        added to all seeds. given: frames that are there already, in whose world the motion is then made. loop:
        the last pose and velocity meet the first. transition_frames: how many frames a seam between given and
        made motion may bend. Raises ProtocolError for values that break the limits, EngineGone.
        """
        request = Generate.with_given(
            given,
            segments=tuple(segments),
            seed=seed,
            guidance=guidance,
            num_samples=num_samples,
            loop=loop,
            transition_frames=transition_frames,
        )
        self._link.ask(request)
        self._generations.add(request.request_id)
        return request.request_id

    def events(self, request_id: str, timeout: float = 300.0) -> Iterator[Reply]:
        """What happens to a request, as it happens: Accepted, Progress, Frames; Done or Error is the last.

        Raises EngineTimeout after `timeout` seconds without an event, EngineGone if the engine dies. Leaving
        the loop early does not cancel the request.
        """
        while self._link.knows(request_id):
            event = self._next(request_id, timeout)
            if isinstance(event, (Done, Error)):
                self._forget(request_id)
            yield event

    def stream(
        self,
        prompts: Iterable[Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        *,
        num_samples: int = 1,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
        timeout: float = 300.0,
    ) -> Iterator[Progress | Frames]:
        """One motion while it is made, as `kmm.source.Source.stream` says; asked for when the first event is.

        Raises EngineTimeout after `timeout` seconds without an event, ClientError if it fails.
        """
        request = self.generate(
            as_segments(prompts),
            seed,
            guidance,
            num_samples=num_samples,
            given=given,
            loop=loop,
            transition_frames=transition_frames,
        )
        try:
            for event in self.events(request, timeout):
                if isinstance(event, Error):
                    raise ClientError(f"{event.message} {event.action}")
                if isinstance(event, (Progress, Frames)):
                    yield event
        finally:
            self._link.abandon(request)
            self._generations.discard(request)

    def motion(
        self,
        segments: Iterable[Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        timeout: float = 300.0,
        **options: Any,
    ) -> Clip:
        """The whole motion at once; arguments as for `stream`. Raises ClientError if it fails."""
        return self.takes(segments, seed, guidance, timeout, **options)[0]

    def takes(
        self,
        segments: Iterable[Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        timeout: float = 300.0,
        **options: Any,
    ) -> list[Clip]:
        """All takes at once; arguments as for `stream`. Raises ClientError if it fails."""
        segments = as_segments(segments)
        events = self.stream(segments, seed, guidance, timeout=timeout, **options)
        return assemble_takes(events, segments, self.welcome.fps)

    def poll(self) -> list[Reply]:
        """The new events of all requests, without waiting. Raises EngineGone once nothing is left to give."""
        self._link.pump()
        events: list[Reply] = []
        for request_id in list(self._generations):
            own = self._link.all(request_id)
            if own and isinstance(own[-1], (Done, Error)):
                self._forget(request_id)
            events.extend(own)
        if self._link.gone and not events:
            raise self._link.gone
        return events

    def cancel(self, request_id: str) -> None:
        """Asks the engine to end a request; its events then end with the error `cancelled`."""
        self._link.cancel(request_id)

    def ping(self, timeout: float = 5.0) -> float:
        """Seconds until the engine answered."""
        start = time.monotonic()
        self._ask(Ping(), Pong, timeout)
        return time.monotonic() - start

    def status(self, timeout: float = 5.0) -> StatusReply:
        """What the engine is doing now."""
        return self._ask(Status(), StatusReply, timeout)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Ends the engine, whoever else uses it; returns when it has agreed or is gone already."""
        with contextlib.suppress(EngineGone):
            self._ask(Shutdown(), Goodbye, timeout)

    def close(self) -> None:
        """Ends the connection; requests that still run are cancelled by the engine. Does nothing twice."""
        self._link.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Request, answer: type[R], timeout: float) -> R:
        self._link.ask(request)
        try:
            return expected(request, self._next(request.request_id, timeout), answer)
        finally:
            self._link.forget(request.request_id)

    def _next(self, request_id: str, timeout: float) -> Reply:
        end = time.monotonic() + timeout
        while (reply := self._link.next(request_id)) is None:
            left = end - time.monotonic()
            if left <= 0:
                raise EngineTimeout(timeout)
            self._link.pump(left)
        return reply

    def _forget(self, request_id: str) -> None:
        self._link.forget(request_id)
        self._generations.discard(request_id)
