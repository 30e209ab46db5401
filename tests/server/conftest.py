"""Real engine processes with real weights on real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import zmq
from kmm.client import Client

from .engines import EngineProcess, bare_socket

Start = Callable[..., EngineProcess]


@pytest.fixture(scope="module")
def start_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A function that starts `kmm serve` with options and waits until it is ready."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, prelude: str = "pass") -> EngineProcess:
        folder = tmp_path_factory.mktemp("engine")
        path, log = folder / "connection.json", folder / "log.txt"
        program = f"{prelude}\nfrom kmm.cli import main\nmain()"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", program, "serve", "--connection-file", str(path), *options],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        started.append(process)
        assert process.stdout
        line = process.stdout.readline()
        assert line, log.read_text()
        ready = json.loads(line)
        assert ready["event"] == "ready"
        return EngineProcess(process, path, log, ready)

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        assert process.stdout
        process.stdout.close()


@pytest.fixture(scope="module")
def engine(start_engine: Start) -> EngineProcess:
    """One engine for all tests of a module that leave it alive."""
    return start_engine()


@pytest.fixture
def client(engine: EngineProcess) -> Iterator[Client]:
    with engine.connect() as client:
        yield client
        assert engine.process.poll() is None, engine.log.read_text()


@pytest.fixture
def raw(engine: EngineProcess) -> Iterator[zmq.Socket]:
    with bare_socket(engine) as socket:
        yield socket
