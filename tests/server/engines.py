"""What the tests of the engine process share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from kmm.client import Client
from kmm.protocol import PromptSegment


class EngineProcess:
    """A running `kmm serve`."""

    def __init__(self, process: subprocess.Popen[str], connection_file: Path, log: Path) -> None:
        self.process = process
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
