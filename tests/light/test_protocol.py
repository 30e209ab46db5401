"""The codec: what is sent arrives, and nothing that arrives can do more than raise a ProtocolError."""

from __future__ import annotations

import dataclasses
import math
import typing
from types import UnionType
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import protocol as p

Strategy = st.SearchStrategy[Any]
MESSAGES = [*p.REQUESTS.values(), *p.REPLIES.values()]


def values(annotation: Any, bounds: p.Bounds | None = None) -> Strategy:
    """Values that fit an annotation of the protocol."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, limits = typing.get_args(annotation)
        return values(inner, limits)
    if origin in (typing.Union, UnionType):
        return st.none() | values(typing.get_args(annotation)[0])
    low, high = (bounds.low, bounds.high) if bounds else (0, 50)
    few = {"min_size": int(low), "max_size": int(min(high, max(low, 8)))}
    if origin is tuple:
        return st.lists(values(typing.get_args(annotation)[0]), **few).map(tuple)
    if origin is dict:
        key, value = typing.get_args(annotation)
        return st.dictionaries(values(key), values(value), **few)
    if dataclasses.is_dataclass(annotation):
        return instances(annotation)
    if annotation is float:
        return st.floats(low, high)
    if annotation is int:
        return st.integers(int(low), int(high))
    return st.booleans() if annotation is bool else st.text(**few)


def given_poses(draw: st.DrawFn, length: int) -> dict[str, Any]:
    """Constraints within a motion of so many frames, and poses for them."""
    cuts = draw(st.lists(st.integers(0, min(length, 60)), max_size=6, unique=True).map(sorted))
    constraints = tuple(p.Constraint(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=False))
    count = sum(c.count for c in constraints)
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    rotations = random.standard_normal((count, 22, 4))
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    return {
        "constraints": constraints,
        "translation": random.standard_normal((count, 3)),
        "rotations": rotations,
    }


@st.composite
def instances(draw: st.DrawFn, cls: type) -> Any:
    """Objects of a dataclass of the protocol."""
    if cls is p.Frames:
        count = draw(st.integers(1, 20))
        random = np.random.default_rng(draw(st.integers(0, 1000)))
        arrays = {n: random.standard_normal((count, *tail)).astype("<f4") for n, tail in p.BUFFERS.items()}
        sample = draw(st.integers(0, p.MAX_SAMPLES - 1))
        return p.Frames(sample=sample, start=draw(st.integers(0, p.MAX_FRAMES)), count=count, **arrays)
    hints = typing.get_type_hints(cls, include_extras=True)
    names = [f.name for f in dataclasses.fields(cls) if f.name not in p.BUFFERS]
    fields = {name: draw(values(hints[name])) for name in names}
    if cls is p.PromptSegment:
        fields |= {"prompt": f"walk {fields['prompt']}"}
    if cls is p.Generate:
        fields |= {"segments": fields["segments"][:3]}
        long = any(s.duration_frames > p.MAX_FRAMES / 3 for s in fields["segments"])
        fields |= {"segments": fields["segments"][:1]} if long else {}
        length = sum(s.duration_frames for s in fields["segments"])
        highest = max(seed or 0 for seed in (fields["seed"], *(s.seed for s in fields["segments"])))
        most = min(p.MAX_FRAMES // length, p.MAX_SEED - highest + 1)
        fields |= {"num_samples": min(fields["num_samples"], most)}
        fields |= given_poses(draw, length)
    if cls is p.Error:
        fields |= {"code": draw(st.sampled_from(sorted(p.ERROR_CODES)))}
    return cls(**fields)


messages = st.sampled_from(MESSAGES).flatmap(instances)
simple = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
packable = st.recursive(
    simple | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.binary(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def decode(message: p.Message, parts: list[bytes]) -> p.Message:
    """Read by the side that the message was meant for."""
    return p.decode_request(parts) if isinstance(message, p.Request) else p.decode_reply(parts)


def refused(parts: list[bytes], request: bool = True) -> p.ProtocolError:
    with pytest.raises(p.ProtocolError) as caught:
        (p.decode_request if request else p.decode_reply)(parts)
    assert caught.value.code in p.ERROR_CODES
    assert caught.value.message
    return caught.value


def survives(parts: list[bytes]) -> None:
    """Both decoders give a message or a ProtocolError, and an engine can answer with it."""
    for decoder in (p.decode_request, p.decode_reply):
        try:
            assert isinstance(decoder(parts), p.Message)
        except p.ProtocolError as error:
            answer = p.Error(code=error.code, message=error.message, action="", request_id=error.request_id)
            assert p.decode_reply(p.encode(answer)) == answer


@given(messages)
def test_round_trip(message: p.Message) -> None:
    got = decode(message, p.encode(message))
    assert type(got) is type(message)
    for field in dataclasses.fields(message):
        assert np.array_equal(getattr(got, field.name), getattr(message, field.name))


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes(parts: list[bytes]) -> None:
    survives(parts)


@given(packable, st.lists(st.binary(max_size=50), max_size=3))
def test_any_messagepack(header: Any, rest: list[bytes]) -> None:
    survives([msgpack.packb(header), *rest])


@given(messages, st.data())
def test_flipped_and_cut_bytes(message: p.Message, data: st.DataObject) -> None:
    parts = p.encode(message)
    which = data.draw(st.integers(0, len(parts) - 1))
    part = bytearray(parts[which])
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(part) - 1), st.integers(0, 255)), max_size=5)
    ):
        part[at] = byte
    parts[which] = bytes(part[: data.draw(st.integers(0, len(part)))])
    survives(parts)


@given(messages, st.data(), packable)
def test_changed_fields(message: p.Message, data: st.DataObject, value: Any) -> None:
    header, *rest = p.encode(message)
    fields = msgpack.unpackb(header)
    name = data.draw(st.sampled_from(sorted(fields)))
    survives([msgpack.packb(fields | {name: value}), *rest])


@given(messages, st.data())
def test_missing_and_unknown_fields(message: p.Message, data: st.DataObject) -> None:
    header, *rest = p.encode(message)
    fields = msgpack.unpackb(header)
    request = isinstance(message, p.Request)
    unknown = msgpack.packb(fields | {"extra": data.draw(packable)})
    assert refused([unknown, *rest], request).code == "malformed"
    name = data.draw(st.sampled_from(sorted(fields)))
    del fields[name]
    if isinstance(message, p.Generate) and name in ("seed", "guidance", "transition_frames"):
        assert isinstance(p.decode_request([msgpack.packb(fields), *rest]), p.Generate)
    else:
        assert refused([msgpack.packb(fields), *rest], request).code == "malformed"


@given(messages, st.integers(-(2**63), 2**64 - 1).filter(lambda v: v != p.PROTOCOL_VERSION))
def test_other_versions(message: p.Message, version: int) -> None:
    header, *rest = p.encode(message)
    other = msgpack.packb(msgpack.unpackb(header) | {"protocol": version})
    error = refused([other, *rest], isinstance(message, p.Request))
    assert (error.code, error.request_id) == ("wrong_version", message.request_id)


@given(messages)
def test_the_wrong_side(message: p.Message) -> None:
    assert refused(p.encode(message), not isinstance(message, p.Request)).code == "malformed"


@given(instances(p.Frames), st.sampled_from([math.nan, math.inf, -math.inf]), st.data())
def test_numbers_that_are_none_in_frames(frames: p.Frames, number: float, data: st.DataObject) -> None:
    parts = p.encode(frames)
    which = data.draw(st.integers(1, 3))
    array = np.frombuffer(parts[which], "<f4").copy()
    array[data.draw(st.integers(0, array.size - 1))] = number
    parts[which] = array.tobytes()
    assert refused(parts, request=False).code == "invalid"


@given(instances(p.Frames), st.integers(-(2**63), 2**64 - 1))
def test_count_that_does_not_fit_the_buffers(frames: p.Frames, count: int) -> None:
    header, *rest = p.encode(frames)
    if count != frames.count:
        refused([msgpack.packb(msgpack.unpackb(header) | {"count": count}), *rest], request=False)


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0, p.MAX_GUIDANCE + 0.1, 10**400])
def test_guidance_out_of_bounds(number: float) -> None:
    with pytest.raises(p.ProtocolError) as caught:
        p.Generate(segments=(p.PromptSegment("walk", 30),), guidance=number)
    assert caught.value.code == "invalid"


@pytest.mark.parametrize("depth", [100, 600, 100_000])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a"])
def test_depth_bombs(opening: bytes, depth: int) -> None:
    assert refused([opening * depth]).code == "malformed"
    assert refused([opening * depth + b"\xc0"]).code == "malformed"
    header = msgpack.packb(
        {"protocol": p.PROTOCOL_VERSION, "type": "ping", "message_id": "a", "request_id": "b"}
    )
    bomb = b"\x85" + header[1:] + b"\xa1x" + opening * depth + b"\xc0"
    assert refused([bomb]).code == "malformed"


def test_claims_of_more_than_there_is() -> None:
    for claim in (
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ):
        assert refused([claim]).code == "malformed"


def test_too_large() -> None:
    assert refused([b"\xc4" * (p.MAX_HEADER_BYTES + 1)]).code == "too_large"
    segment = p.PromptSegment("walk", 30)
    big = {
        "segments": lambda: p.Generate(segments=(segment,) * (p.MAX_SEGMENTS + 1)),
        "prompt": lambda: p.PromptSegment("x" * (p.MAX_PROMPT_CHARACTERS + 1), 30),
        "frames": lambda: p.Generate(segments=(p.PromptSegment("walk", p.MAX_FRAMES), segment)),
        "bytes": lambda: p.encode(
            p.Generate(segments=(p.PromptSegment("走" * p.MAX_PROMPT_CHARACTERS, 30),) * p.MAX_SEGMENTS)
        ),
    }
    for name, make in big.items():
        with pytest.raises(p.ProtocolError) as caught:
            make()
        assert caught.value.code == "too_large", name


@pytest.mark.parametrize("prompt", ["", "  \n\t", "\ud800"])
def test_prompts_that_say_nothing(prompt: str) -> None:
    with pytest.raises(p.ProtocolError):
        p.PromptSegment(prompt, 30)


def test_a_plain_request_has_no_parts_after_its_header() -> None:
    request = p.Generate(segments=(p.PromptSegment("walk", 30),))
    (header,) = p.encode(request)
    assert len(p.decode_request([header]).given) == 0
    assert refused([header, b"", b""]).code == "malformed"


@given(instances(p.Generate), st.integers(0, 3))
def test_given_poses_that_do_not_fit_the_constraints(request: p.Generate, parts: int) -> None:
    header, *rest = p.encode(request)
    if parts != len(rest):
        wrong = [*rest, b"", b"", b""][:parts]
        assert refused([header, *wrong]).code == "malformed"
    if rest:
        assert refused([header, rest[0][:-12], rest[1]]).code == "malformed"
        assert refused([header, rest[0], rest[1][:-4]]).code == "malformed"


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        ([(0, 5), (4, 2)], "rise"),
        ([(8, 2), (0, 5)], "rise"),
        ([(25, 6)], "beyond the 30 frames"),
        ([(25, 6), (0, 1)], "rise"),
    ],
)
def test_constraints_that_contradict_each_other(constraints: list[tuple[int, int]], says: str) -> None:
    count = sum(n for _, n in constraints)
    poses = {"translation": np.zeros((count, 3)), "rotations": np.tile([1.0, 0, 0, 0], (count, 22, 1))}
    with pytest.raises(p.ProtocolError, match=says) as caught:
        p.Generate(
            segments=(p.PromptSegment("walk", 30),),
            constraints=tuple(p.Constraint(*c) for c in constraints),
            **poses,
        )
    assert caught.value.code == "invalid"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("translation", math.nan, "finite"),
        ("rotations", math.inf, "finite"),
        ("rotations", 1e30, "unit quaternion"),
        ("rotations", 0.0, "unit quaternion"),
        ("translation", 2e4, "10000 m"),
    ],
)
def test_given_poses_that_are_none(name: str, value: float, says: str) -> None:
    poses = {"translation": np.zeros((3, 3)), "rotations": np.tile([1.0, 0, 0, 0], (3, 22, 1))}
    poses[name][1] = value
    with pytest.raises(p.ProtocolError, match=says) as caught:
        p.Generate(segments=(p.PromptSegment("walk", 30),), constraints=(p.Constraint(4, 3),), **poses)
    assert caught.value.code == "invalid"


def test_takes_and_given_frames_have_limits() -> None:
    segment = p.PromptSegment("walk", p.MAX_FRAMES // 2)
    assert p.Generate(segments=(segment,), num_samples=2).frames_total == p.MAX_FRAMES
    given = (p.Constraint(0, p.MAX_GIVEN_FRAMES), p.Constraint(p.MAX_GIVEN_FRAMES, 1))
    with pytest.raises(p.ProtocolError) as takes:
        p.Generate(segments=(segment,), num_samples=3)
    with pytest.raises(p.ProtocolError) as frames:
        p.Generate(segments=(segment,), constraints=given)
    assert takes.value.code == frames.value.code == "too_large"
    with pytest.raises(p.ProtocolError, match="last take's seed"):
        p.Generate(segments=(p.PromptSegment("walk", 30, seed=p.MAX_SEED),), num_samples=2)
    most = np.tile([1.0, 0, 0, 0], (p.MAX_GIVEN_FRAMES, 22, 1))
    longest = p.Generate(
        segments=(segment,),
        constraints=(p.Constraint(0, p.MAX_GIVEN_FRAMES),),
        translation=np.zeros((p.MAX_GIVEN_FRAMES, 3)),
        rotations=most,
    )
    assert max(map(len, p.encode(longest))) <= p.MAX_PART_BYTES


def test_frames_of_another_shape() -> None:
    with pytest.raises(p.ProtocolError):
        p.Frames(
            start=0,
            count=2,
            translation=np.zeros((2, 3)),
            rotations=np.zeros((2, 21, 4)),
            contacts=np.zeros((2, 4)),
        )
