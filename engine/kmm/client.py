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
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import zmq
from zmq.utils.monitor import recv_monitor_message

from kmm import __version__
from kmm.clip import Clip
from kmm.given import Given
from kmm.protocol import (
    DEAD_AFTER_SECONDS,
    HEARTBEAT_SECONDS,
    MAX_PART_BYTES,
    PROTOCOL_VERSION,
    Cancel,
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
    ProtocolError,
    Reply,
    Request,
    Shutdown,
    Status,
    StatusReply,
    Welcome,
    decode_reply,
    encode,
)
from kmm.source import Prompt, as_segments, assemble, assemble_takes

__all__ = ["Client", "ClientError", "EngineGone", "EngineTimeout", "assemble", "read_connection_file"]

R = TypeVar("R", bound=Reply)

_RESTART = "Start it again with `kmm serve`."
_LAST_WORDS_MS = 100  # how long closing may wait for a last message to leave
_BATCH = 256  # messages taken in at once, so that `poll` never holds its caller up


class ClientError(RuntimeError):
    """Something went wrong between client and engine; the text says what, and what to do."""


class EngineGone(ClientError):
    """The engine is not there (any more); this client is of no more use, connect a new one."""


class EngineTimeout(ClientError):
    """The engine is alive but did not answer within the time given."""


class Client:
    """A connection to one engine; see the module's docstring. Make it with `Client.connect`."""

    welcome: Welcome  #: what the engine is and can do

    def __init__(self, connection: Connection) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._monitor = self._socket.get_monitor_socket()
        self._open: dict[str, deque[Reply]] = {}  # request id -> what came for it and nobody has taken
        self._generations: set[str] = set()
        self._lost: str | None = None  # why the connection is lost; what came before is still to be read
        self._gone: EngineGone | None = None
        self._heard = time.monotonic()
        self._pinged: float | None = None  # when a ping was sent to which nothing has come since
        try:
            self._socket.linger = _LAST_WORDS_MS
            # All that was asked for finds room here (`MAX_FRAMES` says how much that is): a program that is busy
            # elsewhere keeps neither the engine nor those who wait behind it, and later reads how it ended.
            self._socket.rcvhwm = 0
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_PART_BYTES)
            # An engine that went away does not come back under the same keys. An hour rather than never (-1),
            # for which ZeroMQ would throw away the messages that came before the end and are not read yet.
            self._socket.setsockopt(zmq.RECONNECT_IVL, 3_600_000)
            self._socket.curve_serverkey = connection.server_key.encode()
            self._socket.curve_publickey = connection.client_public_key.encode()
            self._socket.curve_secretkey = connection.client_secret_key.encode()
            self._socket.connect(connection.address)
        except (zmq.ZMQError, ValueError) as error:
            self.close()
            raise ClientError(f"The connection file cannot be used: {error}. {_RESTART}") from error

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
        self._send(request)
        self._open[request.request_id] = deque()
        self._generations.add(request.request_id)
        return request.request_id

    def events(self, request_id: str, timeout: float = 300.0) -> Iterator[Reply]:
        """What happens to a request, as it happens: Accepted, Progress, Frames; Done or Error is the last.

        Raises EngineTimeout after `timeout` seconds without an event, EngineGone if the engine dies. Leaving
        the loop early does not cancel the request.
        """
        while request_id in self._open:
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
            self._abandon(request)

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
        self._pump(0.0)
        events: list[Reply] = []
        for request_id in list(self._generations):
            queue = self._open[request_id]
            if any(isinstance(event, (Done, Error)) for event in queue):
                self._forget(request_id)
            events.extend(queue)
            queue.clear()
        if self._gone and not events:
            raise self._gone
        return events

    def cancel(self, request_id: str) -> None:
        """Asks the engine to end a request; its events then end with the error `cancelled`."""
        if request_id in self._open:
            self._send(Cancel(request_id=request_id))

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
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._context.destroy(_LAST_WORDS_MS)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Request, answer: type[R], timeout: float) -> R:
        self._send(request)
        self._open[request.request_id] = deque()
        try:
            reply = self._next(request.request_id, timeout)
        finally:
            self._forget(request.request_id)
        return self._answer(request, reply, answer)

    @staticmethod
    def _answer(request: Request, reply: Reply, answer: type[R]) -> R:
        if isinstance(reply, Error):
            raise ClientError(f"{reply.message} {reply.action}")
        if not isinstance(reply, answer):
            raise ClientError(f"The engine answered {request.type} with {reply.type}. {_RESTART}")
        return reply

    def _abandon(self, request_id: str) -> None:
        """Ends a request that nobody listens to any more; nothing if it has ended."""
        if request_id in self._open and not self._socket.closed:
            with contextlib.suppress(ClientError):
                self.cancel(request_id)
        self._forget(request_id)

    def _next(self, request_id: str, timeout: float) -> Reply:
        end = time.monotonic() + timeout
        queue = self._open[request_id]
        while not queue:
            if self._gone:
                raise self._gone
            left = end - time.monotonic()
            if left <= 0:
                raise EngineTimeout(
                    f"The engine has sent nothing for {timeout:g} seconds. Wait, or restart it."
                )
            self._pump(min(left, HEARTBEAT_SECONDS))
        return queue.popleft()

    def _forget(self, request_id: str) -> None:
        self._open.pop(request_id, None)
        self._generations.discard(request_id)

    def _send(self, request: Request) -> None:
        if self._socket.closed:
            raise ClientError("The client is closed. Connect a new one.")
        if self._gone:
            raise self._gone
        try:
            self._socket.send_multipart(encode(request), zmq.NOBLOCK)
        except zmq.Again:
            self._lost = self._lost or self._connection_lost() or "The engine takes no more messages."
            raise EngineGone(f"{self._lost} {_RESTART}") from None

    def _pump(self, wait: float) -> None:
        """Waits at most `wait` seconds for something to happen, then takes in what has, a batch at most."""
        if self._gone or self._socket.closed:
            self._lose("The client is closed.")
            return
        if wait > 0:
            poller = zmq.Poller()
            poller.register(self._socket, zmq.POLLIN)
            poller.register(self._monitor, zmq.POLLIN)
            poller.poll(max(1, round(wait * 1000)))
        self._lost = (
            self._lost or self._connection_lost()
        )  # asked before reading: then nothing comes after it
        for _ in range(_BATCH):
            if not self._socket.poll(0, zmq.POLLIN):
                break
            parts = self._socket.recv_multipart()
            try:
                reply = decode_reply(parts)
            except ProtocolError as error:
                self._lose(f"The engine sent what this client cannot read: {error.message}.")
                return
            self._heard, self._pinged = time.monotonic(), None
            if reply.request_id in self._open:
                self._open[reply.request_id].append(reply)
        else:
            return  # there may be more
        if self._lost:
            self._lose(self._lost)
        else:
            self._heartbeat()

    def _connection_lost(self) -> str | None:
        """Why the connection is lost, in one sentence, if it is."""
        while self._monitor.poll(0, zmq.POLLIN):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return "The engine refuses the keys of this connection file."
            if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                return "The engine of this connection file is not there any more."
            if event in (zmq.EVENT_CLOSED, zmq.EVENT_CONNECT_RETRIED):
                return "No engine is running where the connection file says."
            if event == zmq.EVENT_DISCONNECTED:
                return "The engine has stopped."
        return None

    def _heartbeat(self) -> None:
        now = time.monotonic()
        if self._pinged is None:
            if now - self._heard > HEARTBEAT_SECONDS:
                self._pinged = now
                self._send(Ping())
        elif now - self._pinged > DEAD_AFTER_SECONDS:
            self._lose(f"The engine has not answered for {now - self._heard:.0f} seconds.")

    def _lose(self, reason: str) -> None:
        self._gone = self._gone or EngineGone(f"{reason} {_RESTART}")


def read_connection_file(path: str | os.PathLike[str]) -> Connection:
    """What `kmm serve` wrote. Raises ClientError if there is none or it cannot be used."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        connection = Connection.from_map(values if isinstance(values, dict) else {})
    except FileNotFoundError:
        raise EngineGone(f"There is no connection file {path}. Is the engine running? {_RESTART}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ClientError(f"The connection file {path} cannot be read: {error}. {_RESTART}") from error
    if connection.protocol != PROTOCOL_VERSION:
        raise ClientError(
            f"The engine (kmm {connection.version}) speaks protocol {connection.protocol}, this client (kmm "
            f"{__version__}) protocol {PROTOCOL_VERSION}. Install the same version on both sides."
        )
    return connection
