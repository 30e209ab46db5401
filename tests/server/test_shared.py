"""An engine that several people use: turns, figures, an end in good order, and other machines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from kmm import protocol as p
from kmm.client import Client, read_connection_file

from .conftest import Start
from .engines import long_request, wait_for

SHORT = [p.PromptSegment("a person walks forward", 30)]
SOME = [p.PromptSegment("a person walks forward", 300)] * 8


def until(client: Client, request: str, kind: type[p.Reply]) -> None:
    next(event for event in client.events(request) if isinstance(event, kind))


def test_clients_have_turns(start_engine: Start) -> None:
    """Whoever asks for one thing does not wait for the many that somebody else has asked for before."""
    engine = start_engine()
    with engine.connect() as greedy, engine.connect() as other:
        running = greedy.generate(long_request())
        until(greedy, running, p.Frames)
        more = [greedy.generate(SHORT, seed=n) for n in range(3)]
        wait_for(lambda: greedy.status().queue_length == 3)
        late = other.generate(SHORT, seed=9)
        accepted = next(other.events(late))
        assert isinstance(accepted, p.Accepted)
        assert accepted.queue_position == 2, "after the greedy one's next, before its others"
        never = greedy.generate(SHORT)
        greedy.cancel(never)
        assert list(greedy.events(never))[-1].code == "cancelled"
        greedy.cancel(running)
        places = {
            request: [e.queue_position for e in greedy.events(request) if isinstance(e, p.Accepted)]
            for request in more
        }
        assert places[more[0]] == [1, 0]
        assert places[more[1]][:2] == [2, 3], "the other's comes in between, and that is told"
        assert all(positions[-1] == 0 for positions in places.values())
        assert isinstance(list(other.events(late))[-1], p.Done)
        status = other.status()
        assert (status.requests_started, status.requests_done, status.requests_failed) == (
            5,
            4,
            2,
        )  # one was never started
        assert status.frames_made >= 4 * 30
        assert 0 < status.seconds_waited_longest <= status.seconds_waited
        assert not status.draining


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to end a process cleanly")
def test_sigterm_lets_the_running_request_finish(start_engine: Start) -> None:
    engine = start_engine("--drain", "200")
    with engine.connect() as client, engine.connect() as other:
        running = client.generate(SOME, seed=1)
        until(client, running, p.Frames)
        waiting = other.generate(SHORT)
        wait_for(lambda: other.status().queue_length == 1)
        engine.process.send_signal(signal.SIGTERM)
        wait_for(lambda: other.status().draining)
        refused = list(other.events(other.generate(SHORT)))[-1]
        for last in (list(other.events(waiting))[-1], refused):
            assert isinstance(last, p.Error)
            assert last.code == "shutting_down"
        done = list(client.events(running))[-1]
        assert isinstance(done, p.Done)
        assert done.frames == 2400
        assert engine.process.wait(30) == 0
    assert not engine.connection_file.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to end a process cleanly")
def test_a_second_sigterm_ends_it_at_once(start_engine: Start) -> None:
    engine = start_engine("--drain", "1000")
    with engine.connect() as client:
        running = client.generate(long_request())
        until(client, running, p.Frames)
        engine.process.send_signal(signal.SIGTERM)
        wait_for(lambda: client.status().draining)
        engine.process.send_signal(signal.SIGTERM)
        last = list(client.events(running))[-1]
        assert isinstance(last, p.Error)
        assert last.code == "shutting_down"
        assert engine.process.wait(30) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_figures_for_prometheus_and_an_address_of_ones_own(start_engine: Start) -> None:
    pytest.importorskip("prometheus_client", reason="the figures for Prometheus need kmm[metrics]")
    page, port = free_port(), free_port()
    engine = start_engine("--metrics", str(page), "--bind", f"127.0.0.1:{port}")
    assert read_connection_file(engine.connection_file).address == f"tcp://127.0.0.1:{port}"
    with engine.connect() as client:
        client.motion(SHORT, seed=1)
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics", timeout=30) as answer:
            lines = dict(
                line.rsplit(" ", 1)
                for line in answer.read().decode().splitlines()
                if not line.startswith("#")
            )
    assert float(lines['kmm_requests_total{outcome="done"}']) == 1
    assert float(lines["kmm_frames_total"]) == 30
    assert float(lines["kmm_wait_seconds_count"]) == 1
    assert float(lines["kmm_memory_bytes"]) > 2**20


@pytest.mark.parametrize(
    ("bind", "sentence"),
    [("nowhere", "is no address"), ("{taken}", "cannot listen"), ("127.0.0.1:99999", "no address")],
)
def test_an_address_that_cannot_be_is_one_sentence(tmp_path: Path, bind: str, sentence: str) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from kmm.commands.common import one_sentence\n"
        "from kmm.server.engine import Engine\n"
        "with one_sentence():\n"
        "    Engine(None, Path(sys.argv[1]), address=sys.argv[2])\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = bind.format(taken=f"127.0.0.1:{server.getsockname()[1]}")
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "connection.json"), address],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert not (tmp_path / "connection.json").exists()
