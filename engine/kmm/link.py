"""A connection to one engine: what `kmm.Client` and `kmm.AsyncClient` have in common.

It has no thread of its own (ZeroMQ has), so it notices what happened when it is asked to, in `pump`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from pathlib import Path
from typing import TypeVar

import zmq
from zmq.utils.monitor import recv_monitor_message

from kmm import __version__
from kmm.protocol import (
    DEAD_AFTER_SECONDS,
    HEARTBEAT_SECONDS,
    MAX_PART_BYTES,
    PROTOCOL_VERSION,
    Cancel,
    Connection,
    Error,
    Ping,
    ProtocolError,
    Reply,
    Request,
    decode_reply,
    encode,
)

R = TypeVar("R", bound=Reply)

_RESTART = "Start it again with `kmm serve`."
_LAST_WORDS_MS = 100  # how long closing may wait for a last message to leave
_BATCH = 256  # messages taken in at once, so that `pump` never holds its caller up


class ClientError(RuntimeError):
    """Something went wrong between client and engine; the text says what, and what to do."""


class EngineGone(ClientError):
    """The engine is not there (any more); this client is of no more use, connect a new one."""


class EngineTimeout(ClientError):
    """The engine is alive but did not answer within the time given."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The engine has sent nothing for {seconds:g} seconds. Wait, or restart it.")


class Link:
    """Sends requests, and keeps what comes for each until it is taken. For one thread."""

    gone: EngineGone | None  #: once the connection is lost and all that came before has been taken in

    def __init__(self, connection: Connection) -> None:
        """Raises ClientError for a connection that is none."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._monitor = self._socket.get_monitor_socket()
        self.sources = (self._socket, self._monitor)  #: what to poll for news
        self._open: dict[str, deque[Reply]] = {}  # request id -> what came for it and nobody has taken
        self._lost: str | None = None  # why the connection is lost; what came before is still to be read
        self.gone = None
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

    def ask(self, request: Request) -> None:
        """Sends a request, for whose answers there is a place until `forget`. Raises ClientError."""
        self.send(request)
        self._open[request.request_id] = deque()

    def send(self, request: Request) -> None:
        """Sends a message. Raises ClientError."""
        if self._socket.closed:
            raise ClientError("The client is closed. Connect a new one.")
        if self.gone:
            raise self.gone
        try:
            self._socket.send_multipart(encode(request), zmq.NOBLOCK)
        except zmq.Again:
            self._lost = self._lost or self._connection_lost() or "The engine takes no more messages."
            raise EngineGone(f"{self._lost} {_RESTART}") from None

    def cancel(self, request_id: str) -> None:
        """Asks the engine to end a request that has not ended. Raises ClientError."""
        if request_id in self._open:
            self.send(Cancel(request_id=request_id))

    def abandon(self, request_id: str) -> None:
        """Ends a request that nobody listens to any more; nothing if it has ended."""
        if not self._socket.closed:
            with contextlib.suppress(ClientError):
                self.cancel(request_id)
        self.forget(request_id)

    def knows(self, request_id: str) -> bool:
        return request_id in self._open

    def forget(self, request_id: str) -> None:
        self._open.pop(request_id, None)

    def next(self, request_id: str) -> Reply | None:
        """The first answer that nobody has taken; None if there is none yet. Raises EngineGone if none will come."""
        if queue := self._open[request_id]:
            return queue.popleft()
        if self.gone:
            raise self.gone
        return None

    def all(self, request_id: str) -> list[Reply]:
        """All answers that nobody has taken."""
        events = list(self._open[request_id])
        self._open[request_id].clear()
        return events

    def pump(self, wait: float = 0.0) -> None:
        """Waits for something to happen, `wait` seconds or a heartbeat at most, then takes in one batch of it."""
        if self.gone or self._socket.closed:
            self._lose("The client is closed.")
            return
        if wait > 0:
            poller = zmq.Poller()
            for source in self.sources:
                poller.register(source, zmq.POLLIN)
            poller.poll(max(1, round(1000 * min(wait, HEARTBEAT_SECONDS))))
        # asked before reading: then nothing comes after it
        self._lost = self._lost or self._connection_lost()
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

    def close(self) -> None:
        """Ends the connection. Does nothing twice."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._context.destroy(_LAST_WORDS_MS)

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
                self.send(Ping())
        elif now - self._pinged > DEAD_AFTER_SECONDS:
            self._lose(f"The engine has not answered for {now - self._heard:.0f} seconds.")

    def _lose(self, reason: str) -> None:
        self.gone = self.gone or EngineGone(f"{reason} {_RESTART}")


def expected(request: Request, reply: Reply, answer: type[R]) -> R:
    """The reply, if it is of the kind that answers the request. Raises ClientError."""
    if isinstance(reply, Error):
        raise ClientError(f"{reply.message} {reply.action}")
    if not isinstance(reply, answer):
        raise ClientError(f"The engine answered {request.type} with {reply.type}. {_RESTART}")
    return reply


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
