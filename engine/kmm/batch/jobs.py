"""Jobs: a line of JSON says what to make; it becomes one take for each sample.

    {"prompts": ["a person walks forward@3", "a person turns left@2"], "seed": 1, "samples": 2, "format": "bvh"}

Every take is a motion by itself with its own seed and files, so that it can be made anywhere, in any order, and is
the same motion wherever it is made.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from kmm import formats
from kmm.prompts import parse_prompts
from kmm.protocol import (
    MAX_GUIDANCE,
    MAX_SEED,
    MAX_SEGMENTS,
    MAX_TRANSITION_FRAMES,
    Generate,
    PromptSegment,
)

MAX_SAMPLES = 1000
RIG_FORMATS = ("fbx", "glb", "bvh")  #: of a motion on a character: files that need no other beside them
_LINE_BYTES = 2**20

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]


class Stretch(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Frames [start, start + count) of the motion are given: those of a clip's file from its frame `first` on."""

    start: Annotated[int, msgspec.Meta(ge=0)]
    count: Annotated[int, msgspec.Meta(ge=1)]
    clip: str
    first: Annotated[int, msgspec.Meta(ge=0)] | None = None  #: by default `start`


class Job(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A line of a jobs file."""

    prompts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_SEGMENTS)]
    id: Id | None = None  #: names the files; by default the number of the line
    seed: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEED - MAX_SAMPLES)] | None = (
        None  #: by default from the id
    )
    samples: Annotated[int, msgspec.Meta(ge=1, le=MAX_SAMPLES)] = 1  #: sample k has the seed `seed + k`
    guidance: Annotated[float, msgspec.Meta(ge=0, le=MAX_GUIDANCE)] | None = None
    loop: bool = False  #: the last pose and velocity meet the first
    constraints: list[Stretch] = []
    transition_frames: Annotated[int, msgspec.Meta(ge=0, le=MAX_TRANSITION_FRAMES)] | None = None
    format: str | list[str] | None = None  #: suffixes without the dot; None: npz, on a rig fbx
    rig: str | None = None  #: file of a character that the motion is put onto; needs Blender
    armature: str | None = None  #: its armature's name, where the file has several
    map: str | None = None  #: bone map by name or file; None for the one that fits


@dataclass(frozen=True)
class Take:
    """One motion to make."""

    name: str
    segments: tuple[PromptSegment, ...]
    seed: int
    guidance: float | None
    loop: bool
    constraints: tuple[Stretch, ...]
    transition_frames: int | None
    formats: tuple[str, ...]
    rig: str | None = None
    armature: str | None = None
    map: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files, one a format."""
        return tuple(f"{self.name}.{suffix}" for suffix in self.formats)

    @property
    def digest(self) -> str:
        """Tells takes apart that would give different motions."""
        what = msgspec.json.encode(replace(self, name="", formats=()), order="sorted")
        return hashlib.sha256(what).hexdigest()[:16]


@dataclass(frozen=True)
class Failed:
    """A job or take that gave nothing, and why, in one sentence."""

    name: str
    sentence: str


def read(lines: Iterable[bytes]) -> Iterator[Take | Failed]:
    """The takes of all jobs, one after the other; a line that is no job is a `Failed`. Blank lines are skipped."""
    names: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            takes = parse(line, number)
        except ValueError as error:
            yield Failed(f"line {number}", str(error))
            continue
        for take in takes:
            # file systems that ignore case would mix up "Walk" and "walk"
            if take.name.casefold() in names:
                yield Failed(
                    f"line {number}", f"Another job has made {take.name} already; give it its own id."
                )
            else:
                names.add(take.name.casefold())
                yield take


def parse(line: bytes, number: int) -> list[Take]:
    """The takes of the job in a line. Raises ValueError with one sentence."""
    if len(line) > _LINE_BYTES:
        raise ValueError(f"The line has {len(line)} bytes; at most {_LINE_BYTES} can be a job.")
    try:
        job = msgspec.json.decode(line, type=Job)
    except msgspec.MsgspecError as error:
        raise ValueError(f"Not a job: {error}.") from error
    except UnicodeDecodeError as error:
        raise ValueError("Not a job: the line is not UTF-8 text.") from error
    name = job.id or f"{number:06d}"
    seed = _seed(name) if job.seed is None else job.seed
    request = Generate(segments=parse_prompts(job.prompts), seed=seed, guidance=job.guidance)
    if any(stretch.start + stretch.count > request.duration_frames for stretch in job.constraints):
        raise ValueError(f"A constraint is beyond the {request.duration_frames} frames of the motion.")
    take = Take(
        name=name,
        segments=request.segments,
        seed=seed,
        guidance=job.guidance,
        loop=job.loop,
        constraints=tuple(_placed(stretch) for stretch in job.constraints),
        transition_frames=job.transition_frames,
        formats=_suffixes(job),
        rig=job.rig and os.path.abspath(job.rig),
        armature=job.armature,
        map=job.map,
    )
    if job.samples == 1:
        return [take]
    return [replace(take, name=f"{name}-{k}", seed=seed + k) for k in range(job.samples)]


def _suffixes(job: Job) -> tuple[str, ...]:
    known = RIG_FORMATS if job.rig else sorted(suffix.removeprefix(".") for suffix in formats.FORMATS)
    asked = job.format if job.format is not None else "fbx" if job.rig else "npz"
    suffixes = (asked,) if isinstance(asked, str) else tuple(dict.fromkeys(asked))
    if not suffixes or set(suffixes) - set(known):
        raise ValueError(f"The format must be one or several of: {', '.join(known)}.")
    return suffixes


def _placed(stretch: Stretch) -> Stretch:
    """The same with nothing left open: workers may run in another folder."""
    first = stretch.start if stretch.first is None else stretch.first
    return msgspec.structs.replace(stretch, clip=os.path.abspath(stretch.clip), first=first)


def _seed(name: str) -> int:
    """The same for the same name at any time and place."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
