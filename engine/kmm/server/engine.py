"""The thread that talks: takes requests, keeps the queue, sends what the worker makes. It never computes."""

from __future__ import annotations

import contextlib
import platform
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import psutil
import zmq

from kmm import __version__
from kmm.clip import FPS
from kmm.protocol import (
    MAX_PART_BYTES,
    MAX_QUEUED_REQUESTS,
    SLOW_CLIENT_SECONDS,
    Accepted,
    Cancel,
    Done,
    Error,
    Generate,
    Goodbye,
    Hello,
    Limits,
    Ping,
    Pong,
    ProtocolError,
    Reply,
    Request,
    Shutdown,
    Status,
    StatusReply,
    Welcome,
    decode_request,
    encode,
)
from kmm.server import connection
from kmm.server.fair_queue import FairQueue
from kmm.server.worker import Job, Pipeline, Worker, error
from kmm.skeleton import JOINT_NAMES

_QUEUED_MESSAGES = 16  # of one client, in ZeroMQ; then the worker has to wait
_QUEUED_JOBS = 256  # of all clients
_BATCH = 64  # messages taken in before the worker's events get their turn
_TICK_MS = 1000  # between two looks at the clock and the parent process
_LAST_WORDS_MS = 1000  # that ending may take longer for clients that do not read
_RETRY_MS = 20  # between two tries to send to a client that does not read


@dataclass
class Figures:
    """What it has done since its start, as `StatusReply` tells it."""

    requests_started: int = 0
    requests_done: int = 0
    requests_failed: int = 0
    frames_made: int = 0
    seconds_waited: float = 0.0
    seconds_waited_longest: float = 0.0


class Engine:
    """A ROUTER socket in front of a pipeline. It can be connected to once it is made; `run` answers."""

    def __init__(
        self,
        pipeline: Pipeline,
        connection_file: Path | None = None,
        idle_timeout: float | None = None,
        parent_pid: int | None = None,
        address: str = connection.LOOPBACK,
        drain: float = 0.0,
    ) -> None:
        """Opens the socket and writes the connection file (None: in the user's runtime directory).

        The engine ends after `idle_timeout` seconds in which no client wanted anything but a pong, and when
        the process `parent_pid` ends; at SIGTERM it lets the running request finish for at most `drain` seconds.
        `address` is "host:port" to listen on. Raises OSError if the file cannot be written or the address not be
        used, ValueError for a pid that is not there or an address that is none.
        """
        try:
            self._parent = None if parent_pid is None else psutil.Process(parent_pid)
        except (psutil.Error, OverflowError) as problem:
            raise ValueError(f"there is no process {parent_pid} to watch") from problem
        self._pipeline = pipeline
        self._idle_timeout = idle_timeout
        self._running: Job | None = None
        self._waiting: FairQueue[Job] = FairQueue()
        self._unsent: deque[tuple[bytes, Reply]] = deque(
            maxlen=256
        )  # small replies to clients that do not read
        self._stalled: float | None = None  # since when the running job's client has read nothing
        self._started = self._used = self._watched = time.monotonic()
        self._stop = False
        self._drain = drain
        self._draining: float | None = None  # until when the running request may still run
        self._figures = Figures()
        self._process = psutil.Process()

        self._context = zmq.Context()
        try:
            self._door = connection.Door(self._context, _QUEUED_MESSAGES, MAX_PART_BYTES, address)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._bell, self._button = socket.socketpair()  # the worker and signals end the wait for messages
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._worker = Worker(pipeline, self._ring)
        self.connection_file = connection_file or connection.default_path()
        try:
            connection.write(self.connection_file, self._door.connection)
        except OSError:
            self.close()
            raise

    def run(self) -> None:
        """Answers until shutdown, a signal, the idle time-out or the parent's end; then cleans up."""
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._on_signal)
        signal.set_wakeup_fd(self._button.fileno(), warn_on_full_buffer=False)
        poller = zmq.Poller()
        for source in (self._door.socket, self._door.authenticator, self._bell):
            poller.register(source, zmq.POLLIN)
        try:
            while not self._stop:
                waiting = self._stalled is not None or bool(self._unsent)
                ready = dict(poller.poll(_RETRY_MS if waiting else _TICK_MS))
                with contextlib.suppress(BlockingIOError):
                    self._bell.recv(4096)
                if self._door.authenticator in ready:
                    self._door.admit()
                if self._door.socket in ready:
                    self._receive()
                self._send_unsent()
                self._end_when_drained()
                self._forward()
                self._watch()
        finally:
            signal.set_wakeup_fd(-1)
            self.close()

    # What clients want

    def _receive(self) -> None:
        for _ in range(_BATCH):
            try:
                client, *parts = self._door.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                self._handle(client, decode_request(parts))
            except ProtocolError as problem:
                self._send(client, error(problem.code, f"{problem.message}.", problem.request_id))

    def _handle(self, client: bytes, request: Request) -> None:
        if not isinstance(request, Ping):  # a client that only pings does not use the engine
            self._used = time.monotonic()
        match request:
            case Hello():
                print(f"{request.client!r} says hello", file=sys.stderr)
                self._send(client, self._welcome(request))
            case Generate():
                self._enqueue(Job(client, request))
            case Cancel():
                self._cancel(client, request)
            case Status():
                self._send(client, self.status(request.request_id))
            case Ping():
                self._send(client, Pong(request_id=request.request_id))
            case Shutdown():
                self._send(client, Goodbye(request_id=request.request_id))
                self._stop = True

    def _welcome(self, request: Hello) -> Welcome:
        versions = {"kmm": __version__, "python": platform.python_version()}
        if torch := sys.modules.get("torch"):
            versions["torch"] = str(torch.__version__)
        return Welcome(
            weights=self._pipeline.name,
            licence=self._pipeline.licence,
            sha256=self._pipeline.sha256,
            device=str(self._pipeline.device),
            fps=FPS,
            joint_names=JOINT_NAMES,
            limits=Limits(),
            versions=versions,
            prompts=dict(self._pipeline.prompts),
            request_id=request.request_id,
        )

    def status(self, request_id: str = "") -> StatusReply:
        """What it is doing now. May be called from another thread."""
        job, now = self._running, time.monotonic()
        return StatusReply(
            busy=job is not None,
            queue_length=len(self._waiting),
            frames_done=job.frames_done if job else 0,
            frames_total=job.request.frames_total if job else 0,
            uptime_seconds=now - self._started,
            memory_bytes=self._process.memory_info().rss,
            draining=self._draining is not None,
            **vars(self._figures),
            request_id=request_id,
        )

    # The queue

    def _jobs(self, client: bytes) -> list[Job]:
        running = [self._running] if self._running and self._running.client == client else []
        return running + self._waiting.of(client)

    def _enqueue(self, job: Job) -> None:
        own = self._jobs(job.client)
        if any(other.id == job.id for other in own):
            raise ProtocolError("duplicate_request", f"request {job.id} is in the queue already", job.id)
        if self._draining is not None:
            raise ProtocolError("shutting_down", "the engine ends and takes nothing new", job.id)
        if len(own) >= MAX_QUEUED_REQUESTS:
            raise ProtocolError("busy", f"{len(own)} of your requests are in the queue already", job.id)
        if len(self._waiting) >= _QUEUED_JOBS:
            raise ProtocolError("busy", f"{len(self._waiting)} requests of all clients wait already", job.id)
        self._waiting.add(job)
        if self._running is None:
            self._start_next()
        else:
            self._tell_positions()

    def _start_next(self) -> None:
        self._running = self._waiting.next()
        if self._running:
            waited = time.monotonic() - self._running.queued
            self._figures.requests_started += 1
            self._figures.seconds_waited += waited
            self._figures.seconds_waited_longest = max(self._figures.seconds_waited_longest, waited)
            self._worker.start(self._running)
            self._tell_positions()

    def _tell_positions(self) -> None:
        """To those whose position has changed: another client may have its turn before one's own next."""
        running = [self._running] if self._running else []
        for position, job in enumerate((*running, *self._waiting)):
            if job.position != position:
                job.position = position
                total = job.request.frames_total
                self._send(
                    job.client, Accepted(queue_position=position, frames_total=total, request_id=job.id)
                )

    def _cancel(self, client: bytes, request: Cancel) -> None:
        job = next((job for job in self._jobs(client) if job.id == request.request_id), None)
        if job is None:
            raise ProtocolError("unknown_request", "no such request is in the queue", request.request_id)
        if job is self._running:
            job.cancel()  # its last event says so
            return
        self._waiting.remove(job)
        self._send(client, error("cancelled", "The request was cancelled.", job.id))
        self._tell_positions()

    # What goes out

    def _forward(self) -> None:
        """Sends the running job's events as far as its client takes them."""
        while (job := self._running) and (event := job.first()):
            last = isinstance(event, (Done, Error))
            if last:
                self._send(job.client, event)
            elif not self._send_in_turn(job, event):
                return
            self._stalled = None
            job.sent(event)
            if last:
                self._count(job, event)
                self._start_next()

    def _count(self, job: Job, last: Reply) -> None:
        self._figures.frames_made += job.frames_done
        if isinstance(last, Done):
            self._figures.requests_done += 1
        else:
            self._figures.requests_failed += 1

    def _send_in_turn(self, job: Job, event: Reply) -> bool:
        """False if the client has to read first: the worker waits, and in the end the client is dropped."""
        try:
            self._door.socket.send_multipart([job.client, *encode(event)], zmq.NOBLOCK)
        except zmq.Again:
            self._stalled = self._stalled or time.monotonic()
            if time.monotonic() - self._stalled > SLOW_CLIENT_SECONDS:
                job.cancel("slow_client", f"Nothing was read for {SLOW_CLIENT_SECONDS:g} seconds.")
            return False
        except zmq.ZMQError:  # the client has gone
            job.cancel()
        return True

    def _send(self, client: bytes, reply: Reply) -> None:
        """Sends a small reply: at once, later if the client does not read, not at all if it has gone."""
        try:
            self._door.socket.send_multipart([client, *encode(reply)], zmq.NOBLOCK)
        except zmq.Again:
            self._unsent.append((client, reply))
        except zmq.ZMQError:
            pass

    def _send_unsent(self) -> None:
        for _ in range(len(self._unsent)):
            self._send(*self._unsent.popleft())

    # When to end

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens any more
            self._button.send(b"\0")

    def _on_signal(self, number: int, _: object) -> None:
        """SIGTERM asks for an end in good order, and once more, or any other signal, for one at once."""
        if number == signal.SIGTERM and self._drain > 0 and self._draining is None:
            self._draining = time.monotonic() + self._drain
        else:
            self._stop = True

    def _end_when_drained(self) -> None:
        while self._draining is not None and (job := self._waiting.next()):
            self._send(job.client, error("shutting_down", "The engine was told to end.", job.id))
        if self._draining is not None and (self._running is None or time.monotonic() > self._draining):
            self._stop = True

    def _watch(self) -> None:
        now = time.monotonic()
        if now < self._watched + _TICK_MS / 1000:
            return
        self._watched = now
        if self._running:
            self._used = now
        elif self._idle_timeout is not None and now - self._used > self._idle_timeout:
            self._stop = True
        if self._parent and not _alive(self._parent):
            self._stop = True

    def close(self) -> None:
        """Ends what runs and waits, with the error `shutting_down`; does nothing twice. `run` does it by itself."""
        if self._context.closed:
            return
        jobs = [self._running] if self._running else []
        for job in (*jobs, *self._waiting):
            job.cancel()
            self._send(job.client, error("shutting_down", "The engine was told to end.", job.id))
        self._worker.close(timeout=5.0)
        end = time.monotonic() + _LAST_WORDS_MS / 1000
        while self._unsent and time.monotonic() < end:  # a client that reads shall hear how it ended
            time.sleep(_RETRY_MS / 1000)
            self._send_unsent()
        self._context.destroy(linger=_LAST_WORDS_MS)
        self._bell.close()
        self._button.close()
        connection.remove(self.connection_file)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
