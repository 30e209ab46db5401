"""Starting an engine process from Python, and ending it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmm.client import ClientError


@dataclass(frozen=True)
class Launched:
    """A running engine."""

    process: subprocess.Popen[str]
    connection_file: Path


@contextmanager
def launch(*options: str, timeout: float = 120.0) -> Iterator[Launched]:
    """A `kmm serve` with these options, ready, for the length of a `with` block; it ends with this process too.

    Raises ClientError with the engine's own sentence if it does not start.
    """
    command = [sys.executable, "-m", "kmm.cli", "serve", "--parent-pid", str(os.getpid())]
    command += [
        "--drain",
        "0",
        *options,
    ]  # when the block ends, nobody wants to hear of its requests any more
    # a file, not a pipe: an engine whose log nobody reads must not wait for a reader
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            line = _first_line(process, timeout)
            if not line:
                log.seek(0)
                words = log.read().strip().splitlines() or [f"it was not ready within {timeout:g} seconds"]
                raise ClientError(f"The engine did not start: {words[-1]}")
            yield Launched(process, Path(json.loads(line)["connection_file"]))
        finally:
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_line(process: subprocess.Popen[str], timeout: float) -> str:
    """The first line of output; empty if the process ends, or `timeout` seconds pass, without one."""
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(
        target=lambda read: lines.append(read()), args=[process.stdout.readline], daemon=True
    )
    reader.start()
    reader.join(timeout)
    return lines[0] if lines else ""
