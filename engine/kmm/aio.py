"""AsyncClient: the calls of `kmm.Client` for asyncio.

    async with await AsyncClient.connect(path) as client:
        async for event in client.stream(["a person walks forward@3"], seed=1):
            ...  # Progress and Frames

Several tasks may use one client at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, TypeVar

import zmq
import zmq.asyncio

from kmm import __version__
from kmm.clip import Clip
from kmm.given import Given
from kmm.link import ClientError, EngineTimeout, Link, expected, read_connection_file
from kmm.protocol import (
    HEARTBEAT_SECONDS,
    Done,
    Error,
    Frames,
    Generate,
    Hello,
    Ping,
    Pong,
    Progress,
    Reply,
    Request,
    Status,
    StatusReply,
    Welcome,
)
from kmm.source import Prompt, as_segments, assemble_takes

R = TypeVar("R", bound=Reply)


class AsyncClient:
    """A connection to one engine. Make it with `AsyncClient.connect`, in a running event loop."""

    welcome: Welcome  #: what the engine is and can do

    def __init__(self, link: Link) -> None:
        self._link = link
        self._news = asyncio.Event()  # replaced by a new one whenever something has come
        self._pump = asyncio.create_task(self._pump_for_ever(), name="kmm client")

    @classmethod
    async def connect(
        cls,
        connection_file: str | os.PathLike[str],
        timeout: float = 5.0,
        name: str = f"kmm {__version__}",
    ) -> AsyncClient:
        """A client of the engine that wrote `connection_file`; errors as for `Client.connect`."""
        client = cls(Link(read_connection_file(connection_file)))
        try:
            client.welcome = await client._ask(Hello(client=name), Welcome, timeout)
        except BaseException:
            await client.close()
            raise
        return client

    async def stream(
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
    ) -> AsyncIterator[Progress | Frames]:
        """As `Client.stream`. To leave early for certain, wrap it in `contextlib.aclosing`."""
        request = Generate.with_given(
            given,
            segments=as_segments(prompts),
            seed=seed,
            guidance=guidance,
            num_samples=num_samples,
            loop=loop,
            transition_frames=transition_frames,
        )
        self._link.ask(request)
        try:
            while True:
                event = await self._next(request.request_id, timeout)
                if isinstance(event, (Done, Error)):
                    self._link.forget(request.request_id)
                if isinstance(event, Done):
                    return
                if isinstance(event, Error):
                    raise ClientError(f"{event.message} {event.action}")
                if isinstance(event, (Progress, Frames)):
                    yield event
        finally:
            self._link.abandon(request.request_id)

    async def takes(
        self,
        prompts: Iterable[Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        **options: Any,
    ) -> list[Clip]:
        """All takes, whole; further arguments as for `stream`."""
        segments = as_segments(prompts)
        events = [event async for event in self.stream(segments, seed, guidance, **options)]
        return assemble_takes(events, segments, self.welcome.fps)

    async def motion(
        self,
        prompts: Iterable[Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        **options: Any,
    ) -> Clip:
        """One motion, whole; further arguments as for `stream`."""
        return (await self.takes(prompts, seed, guidance, **options))[0]

    async def ping(self, timeout: float = 5.0) -> float:
        """Seconds until the engine answered."""
        start = time.monotonic()
        await self._ask(Ping(), Pong, timeout)
        return time.monotonic() - start

    async def status(self, timeout: float = 5.0) -> StatusReply:
        """What the engine is doing now."""
        return await self._ask(Status(), StatusReply, timeout)

    async def close(self) -> None:
        """Ends the connection; requests that still run are cancelled by the engine. Does nothing twice."""
        self._pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump
        self._link.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _pump_for_ever(self) -> None:
        """Takes in what comes as it comes, and tells everyone who waits."""
        poller = zmq.asyncio.Poller()
        for source in self._link.sources:
            poller.register(source, zmq.POLLIN)
        while not self._link.gone:
            await poller.poll(round(HEARTBEAT_SECONDS * 1000))
            with contextlib.suppress(ClientError):  # told to whoever waits, below
                self._link.pump()
            news, self._news = self._news, asyncio.Event()
            news.set()
            await asyncio.sleep(0)  # whoever waits has its turn, also where the next news are there already

    async def _ask(self, request: Request, answer: type[R], timeout: float) -> R:
        self._link.ask(request)
        try:
            return expected(request, await self._next(request.request_id, timeout), answer)
        finally:
            self._link.forget(request.request_id)

    async def _next(self, request_id: str, timeout: float) -> Reply:
        try:
            async with asyncio.timeout(timeout):
                while (reply := self._link.next(request_id)) is None:
                    await self._news.wait()
        except TimeoutError:
            raise EngineTimeout(timeout) from None
        return reply
