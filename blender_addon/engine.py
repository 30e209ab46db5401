"""The engine process that belongs to this Blender: starting, watching and stopping it, without ever waiting."""

from __future__ import annotations

import enum
import itertools
import os
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as _
from kmm.client import Client, ClientError

from .processes import NO_CONSOLE, python_environment

START_SECONDS = 300.0  #: an engine that is neither ready nor dead by then is given up
STOP_SECONDS = 5.0  #: an engine that was asked to stop and has not by then is killed
CONNECT_SECONDS = 1.0
STATUS_SECONDS = 0.05  #: that asking for the engine's memory may take; it answers within one millisecond
OLD_SECONDS = 7 * 24 * 3600.0  #: logs that are older are removed


class State(enum.Enum):
    """What the engine is doing; the value is the text for people."""

    OFF = "Engine off"
    STARTING = "Engine starting"
    READY = "Engine ready"
    FAILED = "Engine failed"


@dataclass(frozen=True)
class Command:
    """What to start: the engine's Python, weights (empty: its default), and minutes of idleness that it outlives."""

    python: Path
    weights: str = ""
    idle_minutes: int = 0  #: 0: as long as Blender runs

    def line(self, connection_file: Path) -> list[str]:
        line = [os.fspath(self.python), "-m", "kmm.cli", "serve"]
        line += ["--parent-pid", str(os.getpid()), "--connection-file", os.fspath(connection_file)]
        line += ["--weights", self.weights] if self.weights else []
        return line + (["--idle-timeout", str(60 * self.idle_minutes)] if self.idle_minutes else [])


class Engine:
    """At most one engine process. `poll` takes notice of what happened; nothing here waits."""

    def __init__(self) -> None:
        self.state = State.OFF
        self.message = ""  #: why the engine failed or ended, one line
        self.client: Client | None = None
        self.log: Path | None = None
        self.memory: int | None = None  #: bytes that the engine took when last asked
        self._process: subprocess.Popen[bytes] | None = None
        self._next: Command | None = None  # to be started once the one before is gone
        self._connection_file: Path | None = None
        self._started = 0.0
        self._stopping: list[tuple[subprocess.Popen[bytes], float]] = []
        self._numbers = itertools.count()

    def start(self, command: Command) -> None:
        """Start the process, if none runs, or as soon as the one that is being stopped is gone.

        Raises OSError when the program cannot be started.
        """
        if self.running:
            return
        self._reap()
        if self._stopping:
            self._next = command
        else:
            self._launch(command)
        self.state, self.message, self._started = State.STARTING, "", time.monotonic()

    def _launch(self, command: Command) -> None:
        folder = user_folder()
        _remove_old_files(folder)
        self.log = folder / f"engine-{os.getpid()}.log"
        # a fresh name each time, so that its being there means that this engine wrote it
        self._connection_file = folder / f"connection-{os.getpid()}-{next(self._numbers)}.json"
        self._connection_file.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command.line(self._connection_file),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=python_environment(os.environ),
                creationflags=NO_CONSOLE,
            )

    def poll(self) -> None:
        """Take notice of a process that became ready, or ended."""
        self._reap()
        if self._next is not None and not self._stopping:
            command, self._next = self._next, None
            try:
                self._launch(command)
            except OSError as error:
                self.fail(_("The engine's Python cannot be started: {}").format(error))
        if self._process is None:
            return
        code = self._process.poll()
        if code == 0 and self.state is State.READY:
            self.stop()
            self.message = "The engine had nothing to do for long and has ended; it starts again when needed"
        elif code is not None:
            starting = self.state is State.STARTING
            self.fail(self._last_words() if starting else "The engine stopped unexpectedly")
        elif self.state is State.STARTING:
            self._try_connect()

    def fail(self, message: str) -> None:
        """The engine is of no more use: end what is left of it and keep the reason."""
        self.stop()
        self.state, self.message = State.FAILED, message

    def stop(self) -> None:
        """Ask the process to end; `poll` kills it if it does not."""
        self._next = self.memory = None
        if self.client is not None:
            self.client.close()
            self.client = None
        if self._process is not None:
            if self._process.poll() is None:
                self._process.terminate()
                self._stopping.append((self._process, time.monotonic()))
            self._process = None
        if self._connection_file is not None:  # a process that is killed does not remove it
            with suppress(OSError):
                self._connection_file.unlink(missing_ok=True)
        self.state, self.message = State.OFF, ""

    @property
    def description(self) -> str:
        """What to show in the panel, one line."""
        if self.client is not None:
            return f"{self.state.value}: {self.client.welcome.device}"
        return self.state.value

    @property
    def busy(self) -> bool:
        """Whether `poll` must be called often."""
        return self.state is State.STARTING or bool(self._stopping)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether there is a process that was not told to stop, or one is about to be started."""
        return self._process is not None or self._next is not None

    def ask_memory(self) -> None:
        """Take note of how much memory the engine takes."""
        if self.client is not None:
            with suppress(ClientError):  # it has other things to do, or is gone, which `poll` notices
                self.memory = self.client.status(STATUS_SECONDS).memory_bytes

    def close(self) -> None:
        """Stop and wait until the process is gone: for the end of Blender or of the add-on."""
        self.stop()
        for process, _since in self._stopping:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        self._stopping.clear()

    def _try_connect(self) -> None:
        assert self._connection_file is not None
        if self._connection_file.exists():
            try:
                self.client = Client.connect(
                    self._connection_file, CONNECT_SECONDS, f"Blender {bpy.app.version_string}"
                )
            except ClientError as error:
                self.fail(str(error))
            else:
                self.state = State.READY
                self.ask_memory()
        elif time.monotonic() - self._started > START_SECONDS:
            self.fail(
                _("The engine was not ready within {:.0f} seconds. Its log is {}.").format(
                    START_SECONDS, self.log
                )
            )

    def _last_words(self) -> str:
        """The last line of the log: programs say there what was wrong."""
        lines = []
        if self.log is not None:
            with suppress(OSError):
                lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if not lines:
            return _("The engine stopped without a word.")
        return _("The engine stopped: {}").format(lines[-1].strip())

    def _reap(self) -> None:
        for process, since in self._stopping:
            if process.poll() is None and time.monotonic() - since > STOP_SECONDS:
                process.kill()
        self._stopping = [(p, t) for p, t in self._stopping if p.poll() is None]


def user_folder() -> Path:
    """Where logs and connection files go: the extension's own folder among the user's files."""
    try:
        return Path(bpy.utils.extension_path_user(__package__, create=True))
    except ValueError:  # not installed as an extension: run from the source tree
        folder = Path(tempfile.gettempdir()) / f"kmm-blender-{os.getpid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def _remove_old_files(folder: Path) -> None:
    for path in [*folder.glob("engine-*.log"), *folder.glob("connection-*.json")]:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > OLD_SECONDS:
                path.unlink()
