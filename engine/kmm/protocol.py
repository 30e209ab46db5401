"""The wire between the engine and its clients: the messages, their limits, and the codec.

docs/protocol.md describes it for people who write a client in another language; a test keeps the two in step.
A message is a multipart ZeroMQ message: the first part is a MessagePack map (the header: the envelope and the
message's own fields), the others are raw little-endian float32 buffers. Field names follow the Motion Model
Context Protocol where it has one.

Constructing a message checks its fields against the annotations below, so neither side can send what the
other must refuse, and decoding is: read a map, construct, and report what is wrong as one `ProtocolError`.
"""

from __future__ import annotations

import math
import typing
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar

import msgpack
import numpy as np
from numpy.typing import NDArray

PROTOCOL_VERSION = 1

MAX_PART_BYTES = 4 * 2**20  #: a larger part closes the connection, before it is read
MAX_HEADER_BYTES = 2**20
MAX_SEGMENTS = 1024
MAX_PROMPT_CHARACTERS = 512
MAX_FRAMES = 108_000  #: of one request: one hour at 30 frames per second
MAX_CHUNK_FRAMES = 1024  #: of one `frames` message
MAX_QUEUED_REQUESTS = 8  #: of one client, the running one included
MAX_SEED = 2**53 - 1  #: exact as a double, so that every language can hold it
MAX_GUIDANCE = 20.0

HEARTBEAT_SECONDS = 5.0  #: a client that has heard nothing for so long sends a ping
DEAD_AFTER_SECONDS = 15.0  #: an engine that has left a ping unanswered for so long is taken for dead
SLOW_CLIENT_SECONDS = 60.0  #: a client that reads nothing for so long, with frames waiting, is dropped

#: Every code of an error, and what to do about it.
ERROR_CODES: Mapping[str, str] = {
    "malformed": "Check the client against the protocol document.",
    "wrong_version": "Install the same version of KMM on both sides.",
    "too_large": "Keep to the limits in the welcome message.",
    "invalid": "Correct the value and send the request again.",
    "duplicate_request": "Use a new request id for every request.",
    "unknown_request": "Nothing: the request is not waiting or running any more.",
    "busy": "Wait until one of your requests is done.",
    "slow_client": "Read the messages as they come, and send the request again.",
    "cancelled": "Nothing: the frames already sent stay valid.",
    "shutting_down": "Start the engine again.",
    "engine_failure": "Try again; if it comes back, report it with the engine's log.",
}


class ProtocolError(ValueError):
    """A message that breaks the protocol: a code of `ERROR_CODES`, one sentence, and whose request it was."""

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest value of a number, length of a text or list."""

    low: float
    high: float


Id = Annotated[str, Bounds(1, 64)]
Name = Annotated[str, Bounds(1, 256)]
Sentence = Annotated[str, Bounds(0, 2048)]
Count = Annotated[int, Bounds(0, MAX_SEED)]
Seed = Annotated[int, Bounds(0, MAX_SEED)]
Seconds = Annotated[float, Bounds(0, 1e12)]


def new_id() -> str:
    """A fresh id for a message or a request."""
    return uuid.uuid4().hex


class Checked:
    """A dataclass whose field values are checked against their annotations when it is made."""

    def __post_init__(self) -> None:
        annotations = _annotations(type(self))  # type: ignore[arg-type]  # as in _construct
        for name, annotation in annotations.items():
            object.__setattr__(self, name, _checked(getattr(self, name), annotation, name))


@dataclass(frozen=True)
class PromptSegment(Checked):
    """One stretch of the motion: what to do and for how many frames (at the fps of the welcome message)."""

    prompt: Annotated[str, Bounds(1, MAX_PROMPT_CHARACTERS)]
    duration_frames: Annotated[int, Bounds(1, MAX_FRAMES)]
    seed: Seed | None = None  #: None: follows from the request's seed

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.prompt.strip():
            raise ProtocolError("invalid", "a prompt is empty; say what the body should do")


@dataclass(frozen=True)
class Limits(Checked):
    """What the engine accepts in one request."""

    max_segments: Count = MAX_SEGMENTS
    max_prompt_characters: Count = MAX_PROMPT_CHARACTERS
    max_frames: Count = MAX_FRAMES
    max_queued_requests: Count = MAX_QUEUED_REQUESTS


@dataclass(frozen=True, kw_only=True)
class Message(Checked):
    """The envelope: what every message carries besides the protocol version and its type."""

    type: ClassVar[str]

    message_id: Id = field(default_factory=new_id)


@dataclass(frozen=True, kw_only=True)
class Request(Message):
    """A message from a client to the engine."""

    request_id: Id = field(default_factory=new_id)


@dataclass(frozen=True, kw_only=True)
class Hello(Request):
    """Asks what the engine is; answered by `welcome`. A client says it first, to learn the limits."""

    type: ClassVar[str] = "hello"
    client: Name  #: the program's name and version, for the engine's log


@dataclass(frozen=True, kw_only=True)
class Generate(Request):
    """One continuous motion from several prompts; accepted, progress, frames follow, then done or error."""

    type: ClassVar[str] = "generate"
    segments: Annotated[tuple[PromptSegment, ...], Bounds(1, MAX_SEGMENTS)]
    seed: Seed | None = None  #: None: the engine draws one and names it in done
    guidance: Annotated[float, Bounds(0, MAX_GUIDANCE)] | None = None  #: None: the weights' own default

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames_total > MAX_FRAMES:
            raise ProtocolError(
                "too_large",
                f"the request asks for {self.frames_total} frames; at most {MAX_FRAMES} are allowed",
            )

    @property
    def frames_total(self) -> int:
        return sum(s.duration_frames for s in self.segments)


@dataclass(frozen=True, kw_only=True)
class Cancel(Request):
    """Ends the request whose id it carries; that request then ends with the error `cancelled`."""

    type: ClassVar[str] = "cancel"


@dataclass(frozen=True, kw_only=True)
class Status(Request):
    """Asks what the engine is doing; answered by `status_reply`."""

    type: ClassVar[str] = "status"


@dataclass(frozen=True, kw_only=True)
class Ping(Request):
    """Asks whether the engine is alive; answered by `pong`, also while it computes."""

    type: ClassVar[str] = "ping"


@dataclass(frozen=True, kw_only=True)
class Shutdown(Request):
    """Ends the engine; answered by `goodbye`. Requests that wait or run end with `shutting_down`."""

    type: ClassVar[str] = "shutdown"


@dataclass(frozen=True, kw_only=True)
class Reply(Message):
    """A message from the engine to a client; the request id is that of the request it answers."""

    request_id: Annotated[str, Bounds(0, 64)] = ""


@dataclass(frozen=True, kw_only=True)
class Welcome(Reply):
    """What this engine is and can do."""

    type: ClassVar[str] = "welcome"
    weights: Name
    licence: Sentence  #: of the weights
    sha256: Annotated[str, Bounds(0, 64)]  #: of the weights
    device: Name
    fps: Annotated[float, Bounds(1, 1000)]
    joint_names: Annotated[tuple[Name, ...], Bounds(1, 256)]
    limits: Limits
    versions: Annotated[dict[str, Name], Bounds(0, 32)]  #: of kmm, Python and torch


@dataclass(frozen=True, kw_only=True)
class Accepted(Reply):
    """The request is in the queue; sent again when it moves up. At position 0 its computation starts."""

    type: ClassVar[str] = "accepted"
    queue_position: Count
    frames_total: Count


@dataclass(frozen=True, kw_only=True)
class Progress(Reply):
    """How far the running request is, after every network evaluation: `done` frames' worth of work of `total`."""

    type: ClassVar[str] = "progress"
    done: Count
    total: Count
    seconds_elapsed: Seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames(Reply):
    """Poses [start, start + count) of the motion, final; conventions as in `kmm.clip.Clip`."""

    type: ClassVar[str] = "frames"
    start: Annotated[int, Bounds(0, MAX_FRAMES)]
    count: Annotated[int, Bounds(1, MAX_CHUNK_FRAMES)]
    translation: NDArray[np.float32]  #: (count, 3)
    rotations: NDArray[np.float32]  #: (count, 22, 4)
    contacts: NDArray[np.float32]  #: (count, 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, tail in BUFFERS.items():
            values = np.ascontiguousarray(getattr(self, name), dtype="<f4")
            if values.shape != (self.count, *tail):
                raise ProtocolError(
                    "malformed", f"{name} must have shape {(self.count, *tail)}, not {values.shape}"
                )
            if not np.isfinite(values).all():
                raise ProtocolError("invalid", f"{name} holds a value that is not a finite number")
            object.__setattr__(self, name, values)


@dataclass(frozen=True, kw_only=True)
class Done(Reply):
    """The end of a request that worked."""

    type: ClassVar[str] = "done"
    frames: Count
    seconds: Seconds  #: of computation
    seed: Seed  #: the one used; the same seed gives the same motion


@dataclass(frozen=True, kw_only=True)
class StatusReply(Reply):
    """What the engine is doing now; frames are those of the running request."""

    type: ClassVar[str] = "status_reply"
    busy: bool
    queue_length: Count  #: requests waiting behind the running one
    frames_done: Count
    frames_total: Count
    uptime_seconds: Seconds
    memory_bytes: Count  #: resident memory of the engine


@dataclass(frozen=True, kw_only=True)
class Error(Reply):
    """The end of a request that did not work (request id empty: the request could not be told)."""

    type: ClassVar[str] = "error"
    code: Name
    message: Sentence  #: for people
    action: Sentence  #: what to do

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code not in ERROR_CODES:
            raise ProtocolError("invalid", f"{self.code!r} is not an error code of this protocol")


@dataclass(frozen=True, kw_only=True)
class Pong(Reply):
    """The answer to `ping`."""

    type: ClassVar[str] = "pong"


@dataclass(frozen=True, kw_only=True)
class Goodbye(Reply):
    """The answer to `shutdown`, and the engine's last message."""

    type: ClassVar[str] = "goodbye"


REQUESTS: Mapping[str, type[Request]] = {
    cls.type: cls for cls in (Hello, Generate, Cancel, Status, Ping, Shutdown)
}
REPLIES: Mapping[str, type[Reply]] = {
    cls.type: cls
    for cls in (Welcome, Accepted, Progress, Frames, Done, StatusReply, Error, Pong, Goodbye)
}  # fmt: skip

#: Fields of `Frames` that travel as parts after the header, in this order, with the shape of one frame.
BUFFERS: Mapping[str, tuple[int, ...]] = {"translation": (3,), "rotations": (22, 4), "contacts": (4,)}


@dataclass(frozen=True)
class Connection(Checked):
    """The connection file: JSON that `kmm serve` writes for its user alone. Keys are CURVE keys in Z85."""

    address: Name
    server_key: Name
    client_public_key: Name
    client_secret_key: Name
    pid: Count  #: of the engine process
    protocol: Count
    version: Name  #: of kmm

    @classmethod
    def from_map(cls, values: dict[str, Any]) -> Connection:
        """From the parsed JSON; raises ProtocolError."""
        return typing.cast(Connection, _construct(cls, values, "the connection file"))


def encode(message: Message) -> list[bytes]:
    """The parts of the ZeroMQ message."""
    parts = BUFFERS if isinstance(message, Frames) else {}
    header = {"protocol": PROTOCOL_VERSION, "type": message.type}
    header |= {f.name: _plain(getattr(message, f.name)) for f in fields(message) if f.name not in parts}
    packed: bytes = msgpack.packb(header)
    if len(packed) > MAX_HEADER_BYTES:
        raise ProtocolError(
            "too_large", f"the message has {len(packed)} bytes; at most {MAX_HEADER_BYTES} are allowed"
        )
    return [packed, *(getattr(message, name).tobytes() for name in parts)]


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
        header |= _buffers(cls, header.get("count"), parts[1:])
        return typing.cast(Message, _construct(cls, header, cls.type))
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


def _buffers(cls: type[Message], count: Any, parts: Sequence[bytes]) -> dict[str, NDArray[np.float32]]:
    """The buffers behind the header of a `Frames`; every other message has none."""
    expected = BUFFERS if cls is Frames else {}
    if len(parts) != len(expected):
        raise ProtocolError(
            "malformed", f"{cls.type} has {len(expected)} parts after the header, not {len(parts)}"
        )
    arrays = {}
    for part, (name, tail) in zip(parts, expected.items(), strict=True):
        if type(count) is not int or len(part) != 4 * count * math.prod(tail):
            raise ProtocolError("malformed", f"{name} has {len(part)} bytes, which does not fit its count")
        arrays[name] = np.frombuffer(part, dtype="<f4").reshape(count, *tail)
    return arrays


def _construct(cls: type[Any], values: dict[str, Any], where: str) -> Any:
    """The dataclass from a received map, in which only fields that may be None may be missing."""
    if not all(type(key) is str for key in values):
        raise ProtocolError("malformed", f"{where} is not a map with text keys")
    names = {f.name for f in fields(cls)}
    unknown = values.keys() - names
    if unknown:
        raise ProtocolError("malformed", f"{where}: no field is called {min(unknown)!r:.80}")
    annotations = _annotations(cls)  # type: ignore[arg-type]  # mypy takes the instances' hash for the class's
    optional = {name for name, a in annotations.items() if type(None) in typing.get_args(a)}
    missing = names - optional - values.keys()
    if missing:
        raise ProtocolError("malformed", f"{where}: {min(missing)} is missing")
    return cls(**values)


@cache
def _annotations(cls: type[Any]) -> dict[str, Any]:
    """Field name -> annotation, without the buffers, which are checked by `Frames` itself."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls) if f.name not in BUFFERS}


def _checked(value: Any, annotation: Any, where: str, bounds: Bounds | None = None) -> Any:
    """The value if it fits the annotation (dicts become dataclasses, ints floats where one is asked for)."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, limit = typing.get_args(annotation)
        return _checked(value, inner, where, limit)
    if origin in (typing.Union, UnionType):  # only "X | None" is used
        inner = next(a for a in typing.get_args(annotation) if a is not type(None))
        return None if value is None else _checked(value, inner, where)
    if origin is tuple:
        _require(isinstance(value, (tuple, list)), where, "a list")
        _bounded(len(value), bounds, where, "items")
        inner = typing.get_args(annotation)[0]
        return tuple(_checked(item, inner, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        _require(type(value) is dict, where, "a map")
        _bounded(len(value), bounds, where, "items")
        inner = typing.get_args(annotation)[1]
        return {_checked(k, str, where): _checked(v, inner, f"{where}.{k}") for k, v in value.items()}
    if is_dataclass(annotation):
        if type(value) is dict:
            return _construct(typing.cast(type, annotation), value, where)
        _require(isinstance(value, typing.cast(type, annotation)), where, "a map")
        return value
    if annotation is float:
        _require(type(value) in (int, float), where, "a number")
        _bounded(value, bounds, where)  # NaN is within no bounds
        return float(value)
    _require(
        type(value) is annotation,
        where,
        {int: "a whole number", str: "a text", bool: "true or false"}[annotation],
    )
    if annotation is int:
        _bounded(value, bounds, where)
    if annotation is str:
        _require(_encodable(value), where, "valid Unicode text")
        _bounded(len(value), bounds, where, "characters")
    return value


def _require(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise ProtocolError("malformed", f"{where} must be {what}")


def _bounded(size: float, bounds: Bounds | None, where: str, unit: str = "") -> None:
    if bounds is not None and not bounds.low <= size <= bounds.high:
        code = "too_large" if unit and size > bounds.high else "invalid"
        has = f"has {size} {unit}" if unit else f"is {size}"
        raise ProtocolError(code, f"{where} {has}; {bounds.low:.16g} to {bounds.high:.16g} can be taken")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """The value as MessagePack types."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
