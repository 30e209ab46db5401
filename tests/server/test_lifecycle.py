"""How engines begin and end, and what happens to those who wait for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kmm import link
from kmm import protocol as p
from kmm.client import Client, EngineGone, EngineTimeout

from .conftest import Start
from .engines import FAST_MODEL, EngineProcess, answer, bare_socket, idle, long_request, wait_for

WALK = [p.PromptSegment("a person walks forward", 75)]
END_SECONDS = 30.0


def ends(engine: EngineProcess) -> int:
    """The exit code, once the process has ended; its connection file must be gone with it."""
    code = engine.process.wait(END_SECONDS)
    assert not engine.connection_file.exists()
    return code


def until_frames(client: Client, request: str) -> None:
    next(e for e in client.events(request) if isinstance(e, p.Frames))


@pytest.mark.parametrize("blocking", [True, False])
def test_an_engine_killed_in_the_middle_of_a_stream(start_engine: Start, blocking: bool) -> None:
    engine = start_engine()
    client = engine.connect()
    request = client.generate(long_request())
    until_frames(client, request)
    engine.process.kill()
    start = time.monotonic()
    with pytest.raises(EngineGone, match=r"The engine has stopped\. Start it again"):
        if blocking:
            list(client.events(request))
        else:
            while time.monotonic() < start + END_SECONDS:
                client.poll()
    for use in (client.ping, client.status, lambda: client.generate(WALK), lambda: client.cancel(request)):
        with pytest.raises(EngineGone):
            use()
    client.shutdown()
    client.close()
    client.close()
    engine.process.wait(END_SECONDS)
    with pytest.raises(EngineGone, match="No engine is running"):
        Client.connect(engine.connection_file)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot stop and continue a process")
def test_an_engine_that_hangs_is_noticed(start_engine: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(link, "DEAD_AFTER_SECONDS", 1.0)
    engine = start_engine()
    with engine.connect() as client:
        request = client.generate(long_request())
        until_frames(client, request)
        os.kill(engine.process.pid, signal.SIGSTOP)
        with pytest.raises(EngineTimeout):
            client.ping(timeout=0.1)
        with pytest.raises(EngineGone, match="has not answered"):
            list(client.events(request))


def test_shutdown_ends_the_requests_of_everyone(start_engine: Start) -> None:
    engine = start_engine()
    with engine.connect() as one, engine.connect() as other:
        running = one.generate(long_request())
        until_frames(one, running)
        waiting = other.generate(WALK)
        other.shutdown(END_SECONDS)
        assert list(one.events(running))[-1].code == "shutting_down"
        assert list(other.events(waiting))[-1].code == "shutting_down"
    assert ends(engine) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to end a process cleanly")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(start_engine: Start, number: int) -> None:
    engine = start_engine()
    with engine.connect() as client:
        request = client.generate(long_request())
        until_frames(client, request)
        engine.process.send_signal(number)
        assert ends(engine) == 0
        assert list(client.events(request))[-1].code == "shutting_down"
    assert "Traceback" not in engine.log.read_text()


def test_idle_time_out(start_engine: Start) -> None:
    engine = start_engine("--idle-timeout", "2")
    with engine.connect() as client:
        assert len(client.motion(WALK)) == 75
        with pytest.raises(EngineGone):
            while True:
                client.ping(END_SECONDS)  # a ping is no use of the engine
                time.sleep(0.1)
    assert ends(engine) == 0


def test_work_is_not_idleness(start_engine: Start) -> None:
    engine = start_engine("--idle-timeout", "1")
    with engine.connect() as client:
        request = client.generate(long_request())
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert not any(isinstance(e, p.Error) for e in client.poll())
            time.sleep(0.05)
        client.cancel(request)


def test_it_ends_with_its_parent(start_engine: Start) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    engine = start_engine("--parent-pid", str(parent.pid))
    with engine.connect() as client:
        client.generate(long_request())
        parent.kill()  # not waited for: a zombie is dead too
        assert ends(engine) == 0
    parent.wait()
    assert parent.stdin
    parent.stdin.close()


def test_a_client_that_does_not_read_makes_it_wait(start_engine: Start) -> None:
    engine = start_engine()
    with engine.connect() as client, bare_socket(engine, rcvhwm=1, rcvbuf=4096) as slow:
        slow.send_multipart(p.encode(p.Generate(segments=long_request(), request_id="slow")))
        wait_for(lambda: client.status().frames_done > 0)
        done = -1
        while done != (now := client.status().frames_done):
            done = now
            time.sleep(2)
        before = client.status()
        assert before.busy
        assert before.frames_done < 50_000
        time.sleep(2)
        after = client.status()
        assert after.frames_done == before.frames_done
        assert after.memory_bytes < before.memory_bytes + 2**20
        received = 0
        while received < done + 1000:  # it goes on as soon as there is room
            reply = answer(slow)
            if isinstance(reply, p.Frames):
                assert reply.start == received
                received += reply.count
        slow.send_multipart(p.encode(p.Cancel(request_id="slow")))
        wait_for(lambda: idle(client))
        while not isinstance(reply := answer(slow), p.Error):
            pass
        assert reply.code == "cancelled"


def test_a_client_that_never_reads_is_given_up(start_engine: Start) -> None:
    engine = start_engine(prelude="import kmm.server.engine as e; e.SLOW_CLIENT_SECONDS = 0.5")
    with engine.connect() as client, bare_socket(engine, rcvhwm=1, rcvbuf=4096) as slow:
        slow.send_multipart(p.encode(p.Generate(segments=long_request())))
        wait_for(lambda: client.status().busy)
        assert len(client.motion(WALK)) == 75  # its turn comes when the other's patience is at an end
        while not isinstance(reply := answer(slow), p.Error):
            pass
        assert reply.code == "slow_client"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("raise MemoryError('no room')", "no room"),
        ("f = push(*a, **k); f.rotations[0] = float('nan'); return f", "not a finite number"),
    ],
)
def test_a_model_that_fails_fails_one_request(start_engine: Start, fault: str, sentence: str) -> None:
    prelude = f"""
from kmm.model.streaming import FrameStream
push = FrameStream.push
def broken(*a, **k):
    if len(fails):
        fails.pop()
        {fault}
    return push(*a, **k)
FrameStream.push, fails = broken, [1]
"""
    engine = start_engine(prelude=prelude)
    with engine.connect() as client:
        last = list(client.events(client.generate([p.PromptSegment("a person walks", 20)])))[-1]
        assert isinstance(last, p.Error)
        assert last.code == "engine_failure"
        assert sentence in last.message
        assert len(client.motion(WALK)) == 75
    assert "Traceback" in engine.log.read_text()


def test_a_later_engine_keeps_its_connection_file(start_engine: Start) -> None:
    first, second = start_engine(prelude=FAST_MODEL), start_engine(prelude=FAST_MODEL)
    first.connection_file.write_text(second.connection_file.read_text())
    first.process.terminate()
    first.process.wait(END_SECONDS)
    assert first.connection_file.exists()
    with Client.connect(first.connection_file) as client:
        client.ping()


def test_the_file_of_an_engine_that_was_killed_can_be_used_again(start_engine: Start, tmp_path: Path) -> None:
    path = tmp_path / "connection.json"
    path.write_text("left over")
    path.chmod(0o644)
    engine = start_engine("--connection-file", str(path), prelude=FAST_MODEL)
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    with Client.connect(path) as client:
        client.shutdown(END_SECONDS)
    assert engine.process.wait(END_SECONDS) == 0
    assert not path.exists()


def test_the_end_is_told_to_a_client_that_is_behind(start_engine: Start) -> None:
    engine = start_engine()
    with engine.connect() as client, bare_socket(engine, rcvhwm=1, rcvbuf=4096) as slow:
        slow.send_multipart(p.encode(p.Generate(segments=long_request())))
        done = -1
        while done != (now := client.status().frames_done) or now == 0:  # until the engine has to wait for it
            done = now
            time.sleep(1)
        client.shutdown(END_SECONDS)
        while not isinstance(reply := answer(slow), p.Error):
            pass
        assert reply.code == "shutting_down"
    assert ends(engine) == 0
