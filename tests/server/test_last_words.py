"""Whoever has asked an engine for something hears how that ended before the engine does, also if it reads late.

The model is one that makes more than any client reads, so that everything between engine and client is full.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import zmq
from kmm import protocol as p

from .conftest import Start
from .engines import FAST_MODEL, EngineProcess, answer, bare_socket, long_request, wait_for

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to end a process cleanly")

SHORT = [p.PromptSegment("a person walks forward", 30)]
END_SECONDS = 60.0


@pytest.fixture
def engine(start_engine: Start) -> EngineProcess:
    """With the options that it has when nobody says anything."""
    return start_engine(prelude=FAST_MODEL)


def last_word(socket: zmq.Socket) -> p.Reply:
    """The end of the one request of a bare socket."""
    while not isinstance(reply := answer(socket), (p.Done, p.Error)):
        pass
    return reply


def until_it_waits(engine: EngineProcess) -> None:
    """Until the engine makes no more frames, for somebody does not read them."""

    def made() -> Iterator[int]:
        with engine.connect() as client:
            while True:
                yield client.status().frames_done

    with closing(made()) as frames:
        before = -1
        while before != (now := next(frames)) or now == 0:
            before = now
            time.sleep(0.5)


def test_clients_that_read_when_the_engine_has_ended(engine: EngineProcess) -> None:
    """They hold what they have asked for, so their last words find room."""
    with engine.connect() as one, engine.connect() as other:
        running = [one.generate(long_request()) for _ in range(3)]
        waiting = other.generate(SHORT)
        next(e for e in one.events(running[0]) if isinstance(e, p.Frames))
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(END_SECONDS) == 0
        for client, request in ((one, running[0]), (one, running[1]), (one, running[2]), (other, waiting)):
            last = list(client.events(request))[-1]
            assert isinstance(last, p.Done) or (isinstance(last, p.Error) and last.code == "shutting_down")
    assert "Traceback" not in engine.log.read_text()


@pytest.mark.parametrize("late", [0.0, 4.0])
def test_one_that_is_behind_and_reads_late(engine: EngineProcess, late: float) -> None:
    """The engine waits for it as long as for a request that runs."""
    with bare_socket(engine, rcvhwm=1, rcvbuf=4096) as slow:
        slow.send_multipart(p.encode(p.Generate(segments=long_request())))
        until_it_waits(engine)
        engine.process.send_signal(signal.SIGTERM)
        time.sleep(late)
        last = last_word(slow)
        assert isinstance(last, p.Done) or (isinstance(last, p.Error) and last.code == "shutting_down")
    assert engine.process.wait(END_SECONDS) == 0


def cancelled_and_not_told(engine: EngineProcess, slow: zmq.Socket) -> None:
    """The request of one who does not read has ended, and the end of it has not left the engine."""
    slow.send_multipart(p.encode(p.Generate(segments=long_request(), request_id="its")))
    until_it_waits(engine)
    slow.send_multipart(p.encode(p.Cancel(request_id="its")))
    with engine.connect() as client:
        wait_for(lambda: client.status().requests_failed == 1)


def test_an_end_that_was_not_told_yet(engine: EngineProcess) -> None:
    with bare_socket(engine, rcvhwm=1, rcvbuf=4096) as slow:
        cancelled_and_not_told(engine, slow)
        engine.process.send_signal(signal.SIGTERM)
        time.sleep(4.0)
        assert last_word(slow).code == "cancelled"
    assert engine.process.wait(END_SECONDS) == 0


def test_nobody_pushes_out_the_last_word_of_another(engine: EngineProcess) -> None:
    with (
        bare_socket(engine, rcvhwm=1, rcvbuf=4096) as slow,
        bare_socket(engine, rcvhwm=1, rcvbuf=4096, sndhwm=0) as chatterer,
        engine.connect() as client,
    ):
        cancelled_and_not_told(engine, slow)
        for _ in range(5_000):
            chatterer.send_multipart(p.encode(p.Status()))
        time.sleep(1.0)
        client.ping(END_SECONDS)
        assert last_word(slow).code == "cancelled"
