"""The codec: a message as the parts of a multipart ZeroMQ message, and back."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from kmm.protocol.checked import BUFFERS, construct
from kmm.protocol.limits import MAX_HEADER_BYTES, PROTOCOL_VERSION, ProtocolError
from kmm.protocol.messages import Message
from kmm.protocol.replies import REPLIES, Frames, Reply
from kmm.protocol.requests import REQUESTS, Generate, Request


def encode(message: Message) -> list[bytes]:
    """The parts of the ZeroMQ message."""
    header = {"protocol": PROTOCOL_VERSION, "type": message.type}
    header |= {f.name: _plain(getattr(message, f.name)) for f in fields(message) if f.name not in BUFFERS}
    packed: bytes = msgpack.packb(header)
    if len(packed) > MAX_HEADER_BYTES:
        raise ProtocolError(
            "too_large", f"the message has {len(packed)} bytes; at most {MAX_HEADER_BYTES} are allowed"
        )
    return [packed, *(getattr(message, name).tobytes() for name in _parts(type(message), header))]


def decode_request(parts: Sequence[bytes]) -> Request:
    """What a client sent. Any bytes whatever give a request or a `ProtocolError`."""
    return typing.cast(Request, _decode(parts, REQUESTS))


def decode_reply(parts: Sequence[bytes]) -> Reply:
    """What the engine sent. Any bytes whatever give a reply or a `ProtocolError`."""
    return typing.cast(Reply, _decode(parts, REPLIES))


def _decode(parts: Sequence[bytes], types: Mapping[str, type[Message]]) -> Message:
    header = _unpack(parts)
    request_id = header.get("request_id")
    request_id = request_id if isinstance(request_id, str) and len(request_id) <= 64 else ""
    try:
        version = header.pop("protocol", None)
        if type(version) is not int:
            raise ProtocolError("malformed", "protocol must be a whole number")
        if version != PROTOCOL_VERSION:
            raise ProtocolError(
                "wrong_version", f"this side speaks protocol {PROTOCOL_VERSION}, the other {version}"
            )
        name = header.pop("type", None)
        if type(name) is not str:
            raise ProtocolError("malformed", "type must be a text")
        cls = types.get(name)
        if cls is None:
            raise ProtocolError("malformed", f"{name!r:.80} is not a message that this side takes")
        if inside := header.keys() & BUFFERS.keys():
            raise ProtocolError("malformed", f"{min(inside)} is a part of its own, not a field of the header")
        header |= _buffers(cls, header, parts[1:])
        return typing.cast(Message, construct(cls, header, cls.type))
    except ProtocolError as error:
        raise ProtocolError(error.code, error.message, request_id) from error


def _unpack(parts: Sequence[bytes]) -> dict[str, Any]:
    if not parts:
        raise ProtocolError("malformed", "the message has no parts")
    if len(parts[0]) > MAX_HEADER_BYTES:
        raise ProtocolError(
            "too_large", f"the header has {len(parts[0])} bytes; at most {MAX_HEADER_BYTES} are allowed"
        )
    try:
        header = msgpack.unpackb(parts[0], use_list=False)
    except Exception as error:  # an outside decoder on outside bytes: whatever it raises, they are not ours
        raise ProtocolError("malformed", "the header is not a MessagePack map") from error
    if type(header) is not dict:
        raise ProtocolError("malformed", "the header is not a MessagePack map")
    return header


def _parts(cls: type[Message], header: Mapping[str, Any]) -> Sequence[str]:
    """Which fields of the message are parts after its header."""
    if cls is Frames:
        return tuple(BUFFERS)
    return ("translation", "rotations") if cls is Generate and header.get("constraints") else ()


def _buffers(
    cls: type[Message], header: Mapping[str, Any], parts: Sequence[bytes]
) -> dict[str, NDArray[np.float32]]:
    """The parts as arrays; whether they have as many frames as the header says is checked by the message."""
    names = _parts(cls, header)
    if len(parts) != len(names):
        raise ProtocolError(
            "malformed", f"{cls.type} must have {len(names)} parts after the header, not {len(parts)}"
        )
    arrays = {}
    for part, name in zip(parts, names, strict=True):
        if len(part) % (4 * math.prod(BUFFERS[name])):
            raise ProtocolError("malformed", f"{name} has {len(part)} bytes, which are no whole frames")
        arrays[name] = np.frombuffer(part, dtype="<f4").reshape(-1, *BUFFERS[name])
    return arrays


def _plain(value: Any) -> Any:
    """The value as MessagePack types."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
