"""What goes out: replies to clients that read, and those that wait for clients that do not."""

from __future__ import annotations

from collections import deque

import zmq

from kmm.protocol import Done, Error, Reply, encode

_KEPT = 64  # small replies to one client that does not read; then the oldest are forgotten


class ClientGone(ConnectionError):
    """Nobody is there any more to send to."""


class Outbox:
    """Sends through a ROUTER socket (with ROUTER_MANDATORY) and never waits. What one client gets keeps its order."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._lines: dict[bytes, deque[Reply]] = {}  # client -> what it has no room for

    def __bool__(self) -> bool:
        """Whether something waits for a client to read."""
        return bool(self._lines)

    def offer(self, client: bytes, reply: Reply) -> bool:
        """Sends it now or not at all: False if the client has to read first. Raises ClientGone."""
        return client not in self._lines and self._send(client, reply)

    def post(self, client: bytes, reply: Reply) -> None:
        """Sends a small reply: now, later if the client does not read, never if it has gone."""
        try:
            if not self.offer(client, reply):
                self._keep(client, reply)
        except ClientGone:
            pass

    def retry(self) -> None:
        """Sends what has found room by now."""
        for client, line in list(self._lines.items()):
            try:
                while line and self._send(client, line[0]):
                    line.popleft()
            except ClientGone:
                line.clear()
            if not line:
                del self._lines[client]

    def _send(self, client: bytes, reply: Reply) -> bool:
        try:
            self._socket.send_multipart([client, *encode(reply)], zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as problem:
            raise ClientGone from problem
        return True

    def _keep(self, client: bytes, reply: Reply) -> None:
        line = self._lines.setdefault(client, deque())
        line.append(reply)
        if len(line) > _KEPT:  # how a request ended is what has to be told
            line.remove(next((r for r in line if not isinstance(r, (Done, Error))), line[0]))
