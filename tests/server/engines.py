"""What the tests of the engine process share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq
from kmm.client import Client, read_connection_file
from kmm.protocol import PromptSegment, Reply, decode_reply


class EngineProcess:
    """A running `kmm serve`."""

    def __init__(
        self, process: subprocess.Popen[str], connection_file: Path, log: Path, ready: dict[str, Any]
    ) -> None:
        self.process = process
        self.ready = ready  #: what it said when it was
        self.connection_file = connection_file
        self.log = log

    def connect(self) -> Client:
        return Client.connect(self.connection_file, timeout=30.0)


def wait_for(holds: Callable[[], bool], timeout: float = 30.0) -> None:
    """Returns when `holds()` is true; fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def long_request() -> list[PromptSegment]:
    """More than any machine makes within a test's patience."""
    return [PromptSegment("a person walks forward", 1000) for _ in range(100)]


@contextmanager
def bare_socket(engine: EngineProcess, **options: int) -> Iterator[zmq.Socket]:
    """A DEALER with the right keys: a client that can send anything, and need not read."""
    connection = read_connection_file(engine.connection_file)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        for name, value in options.items():
            setattr(socket, name, value)
        socket.curve_serverkey = connection.server_key.encode()
        socket.curve_publickey = connection.client_public_key.encode()
        socket.curve_secretkey = connection.client_secret_key.encode()
        socket.connect(connection.address)
        yield socket


def answer(socket: zmq.Socket) -> Reply:
    """The next reply on a bare socket."""
    assert socket.poll(30_000), "no answer"
    return decode_reply(socket.recv_multipart())


def idle(client: Client) -> bool:
    """Whether the engine has nothing to do."""
    status = client.status(30.0)
    return not status.busy and status.queue_length == 0


#: For `start_engine(prelude=...)`: no weights, but a model as fast as none is, so that clients fall behind.
FAST_MODEL = """
from types import SimpleNamespace
import numpy as np
import kmm.commands.serve
class Fast:
    name, licence, sha256, device, prompts = "fast", "none", "0" * 64, "cpu", {}
    def familiarity(self, prompts):
        return ()
    def generate(self, segments, seed=0, guidance=None, **_):
        total = sum(s.duration_frames for s in segments)
        for start in range(0, total, 20):
            n = min(20, total - start)
            yield SimpleNamespace(done=start + n, total=total)
            yield SimpleNamespace(start=start, translation=np.zeros((n, 3), "f4"),
                rotations=np.tile(np.float32([1, 0, 0, 0]), (n, 22, 1)), contacts=np.zeros((n, 4), "f4"))
kmm.commands.serve.load_pipeline = lambda weights, device: Fast()
"""
