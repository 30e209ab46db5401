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


@st.composite
def instances(draw: st.DrawFn, cls: type) -> Any:
    """Objects of a dataclass of the protocol."""
    if cls is p.Frames:
        count = draw(st.integers(1, 20))
        random = np.random.default_rng(draw(st.integers(0, 1000)))
        arrays = {n: random.standard_normal((count, *tail)).astype("<f4") for n, tail in p.BUFFERS.items()}
        return p.Frames(start=draw(st.integers(0, p.MAX_FRAMES)), count=count, **arrays)
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {f.name: draw(values(hints[f.name])) for f in dataclasses.fields(cls)}
    if cls is p.PromptSegment:
        fields |= {"prompt": f"walk {fields['prompt']}"}
    if cls is p.Generate:
        fields |= {"segments": fields["segments"][:3]}
        long = any(s.duration_frames > p.MAX_FRAMES / 3 for s in fields["segments"])
        fields |= {"segments": fields["segments"][:1]} if long else {}
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
    if isinstance(message, p.Generate) and name in ("seed", "guidance"):
        assert isinstance(p.decode_request([msgpack.packb(fields)]), p.Generate)
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
    header = msgpack.packb({"protocol": 1, "type": "ping", "message_id": "a", "request_id": "b"})
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


def test_frames_of_another_shape() -> None:
    with pytest.raises(p.ProtocolError):
        p.Frames(
            start=0,
            count=2,
            translation=np.zeros((2, 3)),
            rotations=np.zeros((2, 21, 4)),
            contacts=np.zeros((2, 4)),
        )
