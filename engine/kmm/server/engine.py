"""The thread that talks: takes requests, keeps the queue, sends what the worker makes. It never computes."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import zmq

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
    Ping,
    Pong,
    ProtocolError,
    Reply,
    Request,
    Shutdown,
    Status,
    StatusReply,
    decode_request,
)
from kmm.server import connection
from kmm.server.fair_queue import FairQueue
from kmm.server.figures import Figures
from kmm.server.lifetime import Lifetime
from kmm.server.outbox import ClientGone, Outbox
from kmm.server.welcome import welcome
from kmm.server.worker import Job, Pipeline, Worker, error

_QUEUED_MESSAGES = 16  # of one client, in ZeroMQ; then the worker has to wait
_QUEUED_JOBS = 256  # of all clients
_BATCH = 64  # messages taken in before the worker's events get their turn
_TICK_MS = 1000  # between two looks at the clock
_RETRY_MS = 20  # between two tries to send to a client that does not read


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
        the process `parent_pid` ends; at SIGTERM the running request may finish, and clients may read how theirs
        ended, for at most `drain` seconds.
        `address` is "host:port" to listen on. Raises OSError if the file cannot be written or the address not be
        used, ValueError for a pid that is not there or an address that is none.
        """
        self._lifetime = Lifetime(idle_timeout, parent_pid, drain)
        self._pipeline = pipeline
        self._running: Job | None = None
        self._waiting: FairQueue[Job] = FairQueue()
        self._stalled: float | None = None  # since when the running job's client has read nothing
        self._figures = Figures()
        self._process = psutil.Process()

        self._context = zmq.Context()
        try:
            self._door = connection.Door(self._context, _QUEUED_MESSAGES, MAX_PART_BYTES, address)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._outbox = Outbox(self._door.socket)
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
                signal.signal(getattr(signal, name), self._lifetime.on_signal)
        signal.set_wakeup_fd(self._button.fileno(), warn_on_full_buffer=False)
        poller = zmq.Poller()
        for source in (self._door.socket, self._door.authenticator, self._bell):
            poller.register(source, zmq.POLLIN)
        try:
            while not self._lifetime.over:
                waiting = self._stalled is not None or bool(self._outbox)
                ready = dict(poller.poll(_RETRY_MS if waiting else _TICK_MS))
                with contextlib.suppress(BlockingIOError):
                    self._bell.recv(4096)
                if self._door.authenticator in ready:
                    self._door.admit()
                if self._door.socket in ready:
                    self._receive()
                self._outbox.retry()
                self._turn_away()
                self._forward()
                self._lifetime.watch(busy=self._running is not None)
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
                self._outbox.post(client, error(problem.code, f"{problem.message}.", problem.request_id))

    def _handle(self, client: bytes, request: Request) -> None:
        if not isinstance(request, Ping):  # a client that only pings does not use the engine
            self._lifetime.use()
        match request:
            case Hello():
                print(f"{request.client!r} says hello", file=sys.stderr)
                self._outbox.post(client, welcome(self._pipeline, request.request_id))
            case Generate():
                self._enqueue(Job(client, request))
            case Cancel():
                self._cancel(client, request)
            case Status():
                self._outbox.post(client, self.status(request.request_id))
            case Ping():
                self._outbox.post(client, Pong(request_id=request.request_id))
            case Shutdown():
                self._outbox.post(client, Goodbye(request_id=request.request_id))
                self._lifetime.end()

    def status(self, request_id: str = "") -> StatusReply:
        """What it is doing now. May be called from another thread."""
        job = self._running
        return StatusReply(
            busy=job is not None,
            queue_length=len(self._waiting),
            frames_done=job.frames_done if job else 0,
            frames_total=job.request.frames_total if job else 0,
            uptime_seconds=self._lifetime.seconds,
            memory_bytes=self._process.memory_info().rss,
            draining=self._lifetime.draining,
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
        if self._lifetime.draining:
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
            self._figures.started(self._running)
            self._worker.start(self._running)
            self._tell_positions()

    def _tell_positions(self) -> None:
        """To those whose position has changed: another client may have its turn before one's own next."""
        running = [self._running] if self._running else []
        for position, job in enumerate((*running, *self._waiting)):
            if job.position != position:
                job.position = position
                total = job.request.frames_total
                self._outbox.post(
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
        self._refuse(job, "cancelled", "The request was cancelled.")
        self._tell_positions()

    def _refuse(self, job: Job, code: str, message: str) -> None:
        """Ends one whose computation has not started."""
        last = error(code, message, job.id)
        self._outbox.post(job.client, last)
        self._figures.ended(job, last)

    # What comes of it

    def _forward(self) -> None:
        """Sends the running job's events as far as its client takes them."""
        while (job := self._running) and (event := job.first()):
            if isinstance(event, (Done, Error)):
                self._outbox.post(job.client, event)
            elif not self._send_in_turn(job, event):
                return
            self._stalled = None
            job.sent(event)
            if isinstance(event, (Done, Error)):
                self._figures.ended(job, event)
                self._start_next()

    def _send_in_turn(self, job: Job, event: Reply) -> bool:
        """False if the client has to read first: the worker waits, and in the end the client is dropped."""
        try:
            if self._outbox.offer(job.client, event):
                return True
        except ClientGone:
            job.cancel()
            return True
        self._stalled = self._stalled or time.monotonic()
        if time.monotonic() - self._stalled > SLOW_CLIENT_SECONDS:
            job.cancel("slow_client", f"Nothing was read for {SLOW_CLIENT_SECONDS:g} seconds.")
        return False

    # When to end

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens any more
            self._button.send(b"\0")

    def _turn_away(self) -> None:
        """While draining, those who wait."""
        while self._lifetime.draining and (job := self._waiting.next()):
            self._refuse(job, "shutting_down", "The engine was told to end.")

    def close(self) -> None:
        """Ends what runs and waits, with the error `shutting_down`; does nothing twice. `run` does it by itself."""
        if self._context.closed:
            return
        jobs = [self._running] if self._running else []
        for job in (*jobs, *self._waiting):
            job.cancel()
            self._outbox.post(job.client, error("shutting_down", "The engine was told to end.", job.id))
        end = time.monotonic() + self._lifetime.last_words
        self._worker.close(timeout=5.0)
        while self._outbox and time.monotonic() < end:  # a client that reads shall hear how it ended
            time.sleep(_RETRY_MS / 1000)
            self._outbox.retry()
        # What is in ZeroMQ's own hands has the rest of the time; nothing of it is waited for that has left.
        self._context.destroy(linger=max(_RETRY_MS, round(1000 * (end - time.monotonic()))))
        self._bell.close()
        self._button.close()
        connection.remove(self.connection_file)
