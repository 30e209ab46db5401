"""The messages from a client to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kmm.given import Given
from kmm.protocol.checked import Bounds, Checked, poses
from kmm.protocol.limits import (
    MAX_CONSTRAINTS,
    MAX_FRAMES,
    MAX_GIVEN_FRAMES,
    MAX_GUIDANCE,
    MAX_METRES,
    MAX_PROMPT_CHARACTERS,
    MAX_SAMPLES,
    MAX_SEED,
    MAX_SEGMENTS,
    MAX_TRANSITION_FRAMES,
    ProtocolError,
)
from kmm.protocol.messages import Id, Message, Name, Seed, new_id


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
class Constraint(Checked):
    """Frames [start, start + count) of the motion are given; their poses are buffers of the request."""

    start: Annotated[int, Bounds(0, MAX_FRAMES - 1)]
    count: Annotated[int, Bounds(1, MAX_GIVEN_FRAMES)]


@dataclass(frozen=True, kw_only=True)
class Request(Message):
    """A message from a client to the engine."""

    request_id: Id = field(default_factory=new_id)


@dataclass(frozen=True, kw_only=True)
class Hello(Request):
    """Asks what the engine is; answered by `welcome`. A client says it first, to learn the limits."""

    type: ClassVar[str] = "hello"
    client: Name  #: the program's name and version, for the engine's log


@dataclass(frozen=True, kw_only=True, eq=False)
class Generate(Request):
    """One continuous motion from several prompts; accepted, progress, frames follow, then done or error.

    `num_samples` asks for several takes of it. Poses of some frames may be given: `constraints` says which, and
    the buffers hold the poses of all of them, one after the other.
    """

    type: ClassVar[str] = "generate"
    segments: Annotated[tuple[PromptSegment, ...], Bounds(1, MAX_SEGMENTS)]
    seed: Seed | None = None  #: None: the engine draws one and names it in done
    guidance: Annotated[float, Bounds(0, MAX_GUIDANCE)] | None = None  #: None: the weights' own default
    num_samples: Annotated[int, Bounds(1, MAX_SAMPLES)] = 1  #: take k has k added to all seeds
    loop: bool = False  #: the last pose and velocity meet the first
    transition_frames: Annotated[int, Bounds(0, MAX_TRANSITION_FRAMES)] | None = None  #: None: the engine's
    constraints: Annotated[tuple[Constraint, ...], Bounds(0, MAX_CONSTRAINTS)] = ()
    translation: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 3), "<f4"))
    rotations: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 22, 4), "<f4"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames_total > MAX_FRAMES:
            raise ProtocolError(
                "too_large",
                f"the request asks for {self.frames_total} frames; at most {MAX_FRAMES} are allowed",
            )
        seeds = [self.seed, *(s.seed for s in self.segments)]
        if max(s or 0 for s in seeds) + self.num_samples - 1 > MAX_SEED:
            raise ProtocolError("invalid", f"the last take's seed would be above {MAX_SEED}")
        self._check_given()

    def _check_given(self) -> None:
        count = sum(c.count for c in self.constraints)
        if count > MAX_GIVEN_FRAMES:
            raise ProtocolError(
                "too_large", f"the request gives {count} frames; at most {MAX_GIVEN_FRAMES} are allowed"
            )
        for name in ("translation", "rotations"):
            object.__setattr__(self, name, poses(getattr(self, name), name, count))
        if (
            self.constraints
            and self.constraints[-1].start + self.constraints[-1].count > self.duration_frames
        ):
            raise ProtocolError(
                "invalid", f"frames are given beyond the {self.duration_frames} frames of the motion"
            )
        if (np.abs(self.translation) > MAX_METRES).any():
            raise ProtocolError(
                "invalid", f"a given position is further than {MAX_METRES:g} m from the origin"
            )
        try:
            _ = self.given
        except ValueError as error:
            raise ProtocolError("invalid", str(error)) from error

    @classmethod
    def with_given(cls, given: Given | None, **options: Any) -> Generate:
        """A request with these frames given; options are its other fields. Raises ProtocolError."""
        given = given or Given()
        return cls(
            constraints=tuple(Constraint(*stretch) for stretch in given.stretches),
            translation=given.translation,
            rotations=given.rotations,
            **options,
        )

    @property
    def given(self) -> Given:
        """The given frames with their poses."""
        stretches = [(c.start, c.count) for c in self.constraints]
        return Given.in_stretches(stretches, self.translation, self.rotations)

    @property
    def duration_frames(self) -> int:
        """Frames of one take."""
        return sum(s.duration_frames for s in self.segments)

    @property
    def frames_total(self) -> int:
        """Frames of all takes."""
        return self.num_samples * self.duration_frames


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


REQUESTS: Mapping[str, type[Request]] = {
    cls.type: cls for cls in (Hello, Generate, Cancel, Status, Ping, Shutdown)
}
