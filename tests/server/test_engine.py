"""One real engine, asked everything that it must live through: streams, cancels, queues, and wrong messages."""

from __future__ import annotations

import json
import os
import stat
import uuid
from dataclasses import asdict, replace
from typing import Any

import msgpack
import numpy as np
import psutil
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kmm import protocol as p
from kmm import rotations as rot
from kmm.client import Client, ClientError, EngineGone, read_connection_file
from kmm.clip import Clip
from kmm.given import Given
from kmm.skeleton import JOINT_NAMES

from .engines import EngineProcess, answer, idle, long_request, wait_for

WALK = [p.PromptSegment("a person walks forward", 75), p.PromptSegment("a person turns left", 46)]


def test_welcome(client: Client) -> None:
    welcome = client.welcome
    assert welcome.joint_names == JOINT_NAMES
    assert welcome.fps == 30
    assert welcome.licence
    assert len(welcome.sha256) == 64
    assert welcome.limits == p.Limits()


def test_a_whole_stream(client: Client) -> None:
    request = client.generate(WALK, seed=1)
    events = list(client.events(request))
    assert {e.request_id for e in events} == {request}
    assert isinstance(events[0], p.Accepted)
    assert events[0].frames_total == 121
    done = events[-1]
    assert isinstance(done, p.Done)
    assert (done.frames, done.seed) == (121, 1)
    frames = [e for e in events if isinstance(e, p.Frames)]
    assert len(frames) > 1, "a stream comes in pieces"
    starts = np.cumsum([0, *(f.count for f in frames)])
    assert [f.start for f in frames] == list(starts[:-1])
    assert starts[-1] == 121
    progress = [e.done for e in events if isinstance(e, p.Progress)]
    assert progress == sorted(progress)
    assert progress[-1] == 121


def test_a_motion_is_that_of_its_seed(client: Client) -> None:
    first = client.motion(WALK, seed=7)
    again = client.motion(WALK, seed=7)
    other = client.motion(WALK, seed=8)
    assert len(first) == 121
    assert [(s.prompt, s.start, s.end) for s in first.segments] == [
        ("a person walks forward", 0, 75),
        ("a person turns left", 75, 121),
    ]
    assert np.array_equal(first.rotations, again.rotations)
    assert not np.array_equal(first.rotations, other.rotations)
    assert np.allclose(np.linalg.norm(first.rotations, axis=-1), 1, atol=1e-4)
    assert np.allclose(first.translation[0, :2], 0, atol=1e-4)


def test_a_drawn_seed_is_told_and_holds(client: Client) -> None:
    events = list(client.events(client.generate(WALK)))
    seed = events[-1].seed
    frames = np.concatenate([e.rotations for e in events if isinstance(e, p.Frames)])
    assert np.array_equal(client.motion(WALK, seed=seed).rotations, frames)


def test_takes_are_those_of_their_seeds(client: Client) -> None:
    blocks = [WALK[0], p.PromptSegment("a person turns left", 46, seed=20)]
    events = list(client.events(client.generate(blocks, seed=7, num_samples=3)))
    assert events[0].frames_total == 3 * 121
    assert (events[-1].frames, events[-1].seed, events[-1].seeds) == (3 * 121, 7, (7, 8, 9))
    progress = [e.done for e in events if isinstance(e, p.Progress)]
    assert progress == sorted(progress) and progress[-1] == 3 * 121
    takes = client.takes(blocks, seed=7, num_samples=3)
    for k, take in enumerate(takes):
        alone = client.motion([blocks[0], replace(blocks[1], seed=20 + k)], seed=7 + k)
        np.testing.assert_array_equal(take.rotations, alone.rotations)
        np.testing.assert_array_equal(take.translation, alone.translation)


STORY = [
    p.PromptSegment("a person walks forward", 75),
    p.PromptSegment("a person waves with the right hand", 70),
    p.PromptSegment("a person turns left", 46),
]


def seam_jump(clip: Clip, seams: list[int]) -> float:
    """The largest change of a joint's velocity near a seam, over the 95th percentile elsewhere."""
    change = np.linalg.norm(np.diff(clip.joints().astype(float), n=2, axis=0), axis=-1).max(-1)
    near = np.isin(np.arange(1, len(clip) - 1), [s + d for s in seams for d in (-1, 0, 1)])
    return float(change[near].max() / np.quantile(change[~near], 0.95))


def test_a_block_made_anew(client: Client) -> None:
    first = client.motion(STORY, seed=1)
    outside = Given.of(first, [*range(75), *range(145, 191)])
    second = client.motion(STORY, seed=2, given=outside)
    np.testing.assert_array_equal(second.rotations[outside.frames], outside.rotations)
    np.testing.assert_array_equal(second.translation[outside.frames], outside.translation)
    assert np.abs(second.rotations[90:130] - first.rotations[90:130]).max() > 0.1
    assert seam_jump(second, [74, 75, 144, 145]) < 2.5


def test_between_single_poses(client: Client) -> None:
    walk = [p.PromptSegment("a person walks forward", 100)]
    first = client.motion(walk, seed=1).transform(1.0, [5.0, 3.0, 0.0])
    poses = Given.of(first, [0, 33, 66, 99])
    second = client.motion(walk, seed=2, given=poses)
    np.testing.assert_array_equal(second.rotations[poses.frames], poses.rotations)
    np.testing.assert_array_equal(second.translation[poses.frames], poses.translation)
    assert seam_jump(second, [33, 66]) < 2.5
    # the way between them is a walk's, not a detour
    assert np.linalg.norm(second.translation - first.translation, axis=-1).max() < 0.5


def test_a_loop_goes_on_without_a_jerk(client: Client) -> None:
    clip = client.motion([p.PromptSegment("a person walks forward", 70)], seed=1, loop=True)
    pose = clip.rotations[[-2, -1, 0, 1], 1:]
    step = rot.magnitude(rot.multiply(pose[1:], rot.inv(pose[:-1])))  # (3, 21): before, at and after the seam
    assert (step[1] < step[[0, 2]].max(0) + np.radians(2)).all()


def test_given_frames_that_the_engine_cannot_take(client: Client) -> None:
    walk = client.motion(WALK, seed=1)
    request = client.generate(WALK, given=Given.of(walk, [120]), loop=True)
    last = list(client.events(request))[-1]
    assert last.code == "invalid" and "leave it free" in last.message
    with pytest.raises(p.ProtocolError, match="beyond the 121 frames"):
        client.generate(WALK, given=Given(np.array([121]), walk.translation[:1], walk.rotations[:1]))


def test_poll_gives_the_same_events_without_waiting(client: Client) -> None:
    request = client.generate(WALK, seed=1)
    events: list[p.Reply] = []

    def done() -> bool:
        events.extend(client.poll())
        return bool(events) and isinstance(events[-1], p.Done)

    wait_for(done)
    assert sum(e.count for e in events if isinstance(e, p.Frames)) == 121
    assert client.poll() == []
    assert list(client.events(request)) == []


def test_ping_status_and_cancel_while_it_computes(client: Client) -> None:
    request = client.generate(long_request(), seed=1)
    events = client.events(request)
    next(e for e in events if isinstance(e, p.Frames))
    client.ping(30.0)
    status = client.status(30.0)
    assert status.busy
    assert status.frames_total == 100_000
    assert 0 < status.frames_done < 100_000
    client.cancel(request)
    last = list(events)[-1]
    assert isinstance(last, p.Error)
    assert last.code == "cancelled"
    assert idle(client)


def test_the_queue_is_first_in_first_out_and_says_where_one_is(engine: EngineProcess, client: Client) -> None:
    with engine.connect() as other:
        running = other.generate(long_request())
        next(e for e in other.events(running) if isinstance(e, p.Progress))
        waiting = [client.generate(WALK, seed=i) for i in range(3)]
        assert [next(client.events(r)).queue_position for r in waiting] == [1, 2, 3]
        client.cancel(waiting[0])
        assert [e.code for e in client.events(waiting[0])] == ["cancelled"]
        assert next(client.events(waiting[2])).queue_position == 2
        other.cancel(running)
        order = []
        while len(order) < 2:
            order += [e.request_id for e in client.poll() if isinstance(e, p.Done)]
        assert order == waiting[1:]


def test_a_client_cannot_fill_the_queue(client: Client) -> None:
    requests = [client.generate(long_request()) for _ in range(p.MAX_QUEUED_REQUESTS + 1)]
    events = list(client.events(requests[-1]))
    assert [e.code for e in events] == ["busy"]
    for request in requests[:-1]:
        client.cancel(request)
        assert list(client.events(request))[-1].code == "cancelled"
    assert idle(client)


def test_what_the_model_cannot_make_is_refused_with_a_sentence(client: Client) -> None:
    events = list(client.events(client.generate([p.PromptSegment("a person walks", 1)])))
    assert events[-1].code == "invalid"
    assert "a person walks" in events[-1].message
    with pytest.raises(ClientError, match="a person walks"):
        client.motion([p.PromptSegment("a person walks", 1)])


def test_cancel_of_nothing(raw: zmq.Socket) -> None:
    raw.send_multipart(p.encode(p.Cancel(request_id="nobody's")))
    assert answer(raw).code == "unknown_request"


def test_the_same_request_id_twice(raw: zmq.Socket) -> None:
    request = p.Generate(segments=long_request())
    raw.send_multipart(p.encode(request))
    raw.send_multipart(p.encode(request))
    raw.send_multipart(p.encode(p.Cancel(request_id=request.request_id)))
    codes = []
    while "cancelled" not in codes:
        reply = answer(raw)
        codes += [reply.code] if isinstance(reply, p.Error) else []
    assert codes == ["duplicate_request", "cancelled"]


def test_requests_of_others_cannot_be_cancelled(client: Client, raw: zmq.Socket) -> None:
    request = client.generate(long_request())
    next(client.events(request))
    raw.send_multipart(p.encode(p.Cancel(request_id=request)))
    assert answer(raw).code == "unknown_request"
    assert client.status().busy
    client.cancel(request)
    assert list(client.events(request))[-1].code == "cancelled"


def changed(message: p.Message, **fields: Any) -> list[bytes]:
    header, *rest = p.encode(message)
    return [msgpack.packb(msgpack.unpackb(header) | fields), *rest]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([b""], "malformed"),
        ([b"hello"], "malformed"),
        ([b"\x91" * 10_000], "malformed"),
        ([*p.encode(p.Ping()), b"more"], "malformed"),
        (p.encode(p.Pong()), "malformed"),
        (changed(p.Ping(), protocol=99), "wrong_version"),
        (changed(p.Ping(), extra=1), "malformed"),
        (changed(p.Generate(segments=WALK), seed="one"), "malformed"),
        (changed(p.Generate(segments=WALK), seed=-1), "invalid"),
        (changed(p.Generate(segments=WALK), guidance=float("nan")), "invalid"),
        (changed(p.Generate(segments=WALK), segments=[]), "invalid"),
        ([b"\xc0" * (p.MAX_HEADER_BYTES + 1)], "too_large"),
    ],
)
def test_wrong_messages_are_answered(raw: zmq.Socket, client: Client, parts: list[bytes], code: str) -> None:
    raw.send_multipart(parts)
    assert answer(raw).code == code
    client.ping()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=100), min_size=1, max_size=4))
def test_any_bytes_are_answered(raw: zmq.Socket, parts: list[bytes]) -> None:
    raw.send_multipart(parts)
    assert isinstance(answer(raw), p.Error)
    raw.send_multipart(p.encode(p.Ping()))
    assert isinstance(answer(raw), p.Pong)


def test_a_part_beyond_all_bounds_closes_the_connection_of_its_sender(
    raw: zmq.Socket, client: Client
) -> None:
    with raw.get_monitor_socket() as monitor:
        raw.send(b"\0" * (p.MAX_PART_BYTES + 1))
        events = []
        while zmq.EVENT_DISCONNECTED not in events:
            assert monitor.poll(30_000)
            events.append(int.from_bytes(monitor.recv_multipart()[0][:2], "little"))
        raw.disable_monitor()
    client.ping()
    assert len(client.motion(WALK)) == 121


def test_a_client_that_leaves_takes_its_requests_along(engine: EngineProcess, client: Client) -> None:
    leaving = engine.connect()
    leaving.generate(long_request())
    leaving.generate(long_request())
    wait_for(lambda: client.status().busy)
    leaving.close()
    wait_for(lambda: idle(client))


def test_answers_to_foreign_requests_are_dropped(client: Client) -> None:
    stray = p.Status(request_id=uuid.uuid4().hex)
    client._link.send(stray)
    client.ping()
    assert client.poll() == []


def test_only_the_user_can_read_the_connection_file(engine: EngineProcess) -> None:
    if os.name != "nt":  # there the user's own folder is what protects it
        assert stat.S_IMODE(engine.connection_file.stat().st_mode) == 0o600
    connection = json.loads(engine.connection_file.read_text())
    assert connection["pid"] == engine.process.pid
    listening = psutil.Process(engine.process.pid).net_connections("tcp")
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("which", ["client", "server"])
def test_wrong_keys_are_refused(engine: EngineProcess, client: Client, which: str, tmp_path: Any) -> None:
    connection = read_connection_file(engine.connection_file)
    public, secret = (key.decode() for key in zmq.curve_keypair())
    if which == "client":
        wrong = replace(connection, client_public_key=public, client_secret_key=secret)
    else:
        wrong = replace(connection, server_key=public)
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(asdict(wrong)))
    with pytest.raises(EngineGone):
        Client.connect(path, timeout=30.0)
    client.ping()


def test_a_client_without_keys_gets_nothing(engine: EngineProcess, client: Client) -> None:
    connection = read_connection_file(engine.connection_file)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(connection.address)
        socket.send_multipart(p.encode(p.Ping()))
        assert not socket.poll(500)
    client.ping()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no connection file"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"address": 1}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_connection_files_that_are_none(tmp_path: Any, text: str | None, sentence: str) -> None:
    path = tmp_path / "connection.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ClientError, match=sentence):
        Client.connect(path)


def test_connection_file_of_another_version(engine: EngineProcess, tmp_path: Any) -> None:
    path = tmp_path / "connection.json"
    connection = json.loads(engine.connection_file.read_text())
    path.write_text(json.dumps(connection | {"protocol": 99}))
    with pytest.raises(ClientError, match="same version on both sides"):
        Client.connect(path)


def test_no_thread_or_socket_of_a_closed_client_stays(engine: EngineProcess) -> None:
    def threads() -> int:
        return psutil.Process(os.getpid()).num_threads()

    before = threads()
    for _ in range(20):
        engine.connect().close()
    assert threads() <= before
