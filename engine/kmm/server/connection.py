"""The connection file: how clients find the engine, and the only way to be let in."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import warnings
from dataclasses import asdict
from pathlib import Path

import zmq
from platformdirs import user_runtime_path
from zmq.utils import z85

from kmm import __version__
from kmm.protocol import PROTOCOL_VERSION, Connection

LOOPBACK = "127.0.0.1:0"  #: this machine alone, any free port
_SEND_BUFFER_BYTES = 2**18  # or else the system takes megabytes for a client that does not read


def default_path() -> Path:
    """A file of this process in the user's runtime directory, which is made if need be. Raises OSError."""
    with warnings.catch_warnings(action="ignore"):  # that a folder in /tmp has to do is checked below
        folder = user_runtime_path("kmm")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and {folder.stat().st_uid, folder.parent.stat().st_uid} - {os.getuid(), 0}:
        raise PermissionError(f"{folder} belongs to somebody else; give a --connection-file of your own.")
    return folder / f"engine-{os.getpid()}.json"


def write(path: Path, connection: Connection) -> None:
    """Writes the file in one step, readable by its user alone. Raises OSError."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for the connection file.")
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(connection), file, indent=1)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Deletes the file, unless a later engine has put its own in the place."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text(encoding="utf-8")).get("pid") == os.getpid():
            path.unlink()


def split(address: str) -> tuple[str, int]:
    """Host and port of "host:port". Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not host or not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is no address to listen on; write it like 192.168.1.20:5599.")
    return host, int(port)


class Door:
    """The engine's socket with its keys, and the check who may use it.

    `socket` is a ROUTER at `address`, encrypted. `authenticator` must be polled beside it, and `admit` called when
    it is readable: ZeroMQ asks there (ZAP, RFC 27) about everyone who wants in.
    """

    def __init__(
        self, context: zmq.Context, queued_messages: int, max_part_bytes: int, address: str = LOOPBACK
    ) -> None:
        """address: "host:port", port 0 for a free one. Raises ValueError if it is none, OSError if it is taken."""
        host, port = split(address)
        self.authenticator = context.socket(zmq.REP)
        self.authenticator.linger = 0
        self.authenticator.bind("inproc://zeromq.zap.01")
        self.socket = context.socket(zmq.ROUTER)
        self.socket.sndhwm = queued_messages
        self.socket.sndbuf = _SEND_BUFFER_BYTES
        self.socket.setsockopt(zmq.MAXMSGSIZE, max_part_bytes)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # say when a client has gone or reads nothing
        server_public, server_secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        self._client_key = z85.decode(client_public)
        self.socket.curve_server = True
        self.socket.curve_secretkey = server_secret
        self.socket.zap_domain = b"kmm"
        try:
            self.socket.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as problem:
            raise OSError(f"The engine cannot listen on {address}: {problem.strerror}.") from problem
        port = int(self.socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        everywhere = host in ("0.0.0.0", "[::]")  # all addresses of this machine: others know it by its name
        self.connection = Connection(
            address=f"tcp://{socket.getfqdn() if everywhere else host}:{port}",
            server_key=server_public.decode(),
            client_public_key=client_public.decode(),
            client_secret_key=client_secret.decode(),
            pid=os.getpid(),
            protocol=PROTOCOL_VERSION,
            version=__version__,
        )

    def admit(self) -> None:
        """Answers one question: yes to whoever holds the key in the connection file."""
        version, number, _domain, _address, _identity, mechanism, *credentials = (
            self.authenticator.recv_multipart()
        )
        known = mechanism == b"CURVE" and credentials == [self._client_key]
        status, text = (b"200", b"welcome") if known else (b"400", b"unknown key")
        self.authenticator.send_multipart([version, number, status, text, b"", b""])
