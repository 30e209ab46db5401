"""The messages from the engine to a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from kmm.protocol.checked import BUFFERS, Bounds, Checked, poses
from kmm.protocol.limits import (
    ERROR_CODES,
    MAX_CHUNK_FRAMES,
    MAX_CONSTRAINTS,
    MAX_FRAMES,
    MAX_GIVEN_FRAMES,
    MAX_PROMPT_CHARACTERS,
    MAX_QUEUED_REQUESTS,
    MAX_SAMPLES,
    MAX_SEGMENTS,
    MAX_TRANSITION_FRAMES,
    ProtocolError,
)
from kmm.protocol.messages import Count, Message, Name, Seconds, Seed, Sentence

Prompts = Annotated[tuple[Annotated[str, Bounds(1, MAX_PROMPT_CHARACTERS)], ...], Bounds(0, 256)]
Share = Annotated[float, Bounds(0, 1)]


@dataclass(frozen=True)
class Limits(Checked):
    """What the engine accepts in one request."""

    max_segments: Count = MAX_SEGMENTS
    max_prompt_characters: Count = MAX_PROMPT_CHARACTERS
    max_frames: Count = MAX_FRAMES
    max_queued_requests: Count = MAX_QUEUED_REQUESTS
    max_samples: Count = MAX_SAMPLES
    max_transition_frames: Count = MAX_TRANSITION_FRAMES
    max_constraints: Count = MAX_CONSTRAINTS
    max_given_frames: Count = MAX_GIVEN_FRAMES


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
    #: kind of action -> prompts that these weights are known to do well
    prompts: Annotated[dict[str, Prompts], Bounds(0, 256)] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Accepted(Reply):
    """The request is in the queue; sent again when it moves up. At position 0 its computation starts."""

    type: ClassVar[str] = "accepted"
    queue_position: Count
    frames_total: Count


@dataclass(frozen=True, kw_only=True)
class Progress(Reply):
    """How far the running request is, all its takes together: `done` frames' worth of work of `total`.

    Comes after every network evaluation.
    """

    type: ClassVar[str] = "progress"
    done: Count
    total: Count
    seconds_elapsed: Seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames(Reply):
    """Poses [start, start + count) of one take, final; conventions as in `kmm.clip.Clip`."""

    type: ClassVar[str] = "frames"
    sample: Annotated[int, Bounds(0, MAX_SAMPLES - 1)] = 0  #: which take
    start: Annotated[int, Bounds(0, MAX_FRAMES)]
    count: Annotated[int, Bounds(1, MAX_CHUNK_FRAMES)]
    translation: NDArray[np.float32]  #: (count, 3)
    rotations: NDArray[np.float32]  #: (count, 22, 4)
    contacts: NDArray[np.float32]  #: (count, 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in BUFFERS:
            object.__setattr__(self, name, poses(getattr(self, name), name, self.count))


@dataclass(frozen=True, kw_only=True)
class Done(Reply):
    """The end of a request that worked."""

    type: ClassVar[str] = "done"
    frames: Count  #: of all takes
    seconds: Seconds  #: of computation
    seed: Seed  #: the one used; the same seed gives the same motion
    seeds: Annotated[tuple[Seed, ...], Bounds(1, MAX_SAMPLES)]  #: of every take; the first is `seed`
    #: of every segment's prompt, or none: the share of unseen captions that are further from those of training
    familiarity: Annotated[tuple[Share, ...], Bounds(0, MAX_SEGMENTS)] = ()


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
    draining: bool  #: it takes no new requests and ends soon
    requests_started: Count  #: since its start, as all that follow
    requests_done: Count
    requests_failed: Count  #: ended with an error; cancelled ones too
    frames_made: Count
    seconds_waited: Seconds  #: of all started requests together, until they were started
    seconds_waited_longest: Seconds  #: of one


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


REPLIES: Mapping[str, type[Reply]] = {
    cls.type: cls
    for cls in (Welcome, Accepted, Progress, Frames, Done, StatusReply, Error, Pong, Goodbye)
}  # fmt: skip
