"""What to generate: prompts with lengths, what is given, and how the result is placed and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm.clip import FPS, Clip
from kmm.protocol import MAX_FRAMES, MAX_PROMPT_CHARACTERS
from numpy.typing import NDArray

from .kept_keys import Stretch
from .limits import limits
from .placing import Start

REACH_SECONDS = 0.3  #: around a seam, where nothing else is said


class UserError(Exception):
    """Something that the user can put right; the text is one sentence for people."""


@dataclass(frozen=True)
class Part:
    """One prompt for so many frames of the scene."""

    prompt: str
    frames: int
    seed: int


@dataclass(frozen=True)
class Given:
    """Poses that are there: which of the motion's frames, rising, and the poses, in the armature's space."""

    frames: NDArray[np.int64]
    poses: Clip


@dataclass(frozen=True)
class Base:
    """The action that the new one begins as a copy of, and what of its keys stays.

    shift: by how many frames all else in it moves in time, curves that get no keys.
    """

    action_uid: int
    slot: str
    stretches: Sequence[Stretch]
    shift: int = 0


@dataclass(frozen=True)
class Place:
    """Where in the new action the motion of a storyboard's block is. seed: None if it is not made anew."""

    block: str  #: its uid
    start: int
    frames: int
    seed: int | None = None


@dataclass(frozen=True)
class Options:
    """How the motion is made and kept, as the panel has it; see `settings.KMM_Settings`."""

    takes: int = 1
    speed: float = 1.0
    mirror: bool = False
    in_place: bool = False
    loop: bool = False
    accept_as: str = "ACTION"

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> Options:
        settings = scene.kmm
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Request:
    """A motion of the parts' frames, the first of which is `first_frame` of the scene.

    given: poses that are kept to. made: (frames,) which frames are keyed, None: all. reach: for how many frames
    around a seam the motion may be bent.
    """

    name: str  #: of the new action
    parts: tuple[Part, ...]
    first_frame: int
    reach: int
    options: Options = field(default_factory=Options)
    start: Start | None = None
    given: Given | None = None
    made: NDArray[np.bool_] | None = None
    base: Base | None = None
    places: tuple[Place, ...] = ()

    @property
    def frames(self) -> int:
        return sum(part.frames for part in self.parts)

    def check(self, fps: float) -> None:
        """Raises UserError. fps: of the scene."""
        for part in self.parts:
            check_prompt(part.prompt)
        check_length(self.frames / fps * self.options.speed * self.options.takes)
        if self.options.loop and self.given is not None:
            raise UserError(
                "A loop needs the whole motion made anew; unlock the blocks, or turn Loop off for this"
            )


def check_prompt(prompt: str) -> None:
    """Raises UserError."""
    if not prompt.strip():
        raise UserError("The prompt is empty; say what the character should do")
    if len(prompt.strip()) > MAX_PROMPT_CHARACTERS:
        raise UserError(
            _("The prompt is longer than {} characters; say it shorter").format(MAX_PROMPT_CHARACTERS)
        )


def check_length(seconds: float) -> None:
    """Raises UserError. seconds: of motion that the engine has to make, all takes together."""
    longest = MAX_FRAMES / FPS
    if not 0 < seconds <= longest:
        raise UserError(_("A motion cannot be {:g} seconds long, but up to {:g}").format(seconds, longest))


def single(
    scene: bpy.types.Scene, prompt: str, seconds: float, seed: int, options: Options | None = None
) -> Request:
    """One prompt from the current frame on. Raises UserError."""
    check_length(seconds)
    fps = scene.render.fps / scene.render.fps_base
    part = Part(prompt, limits([seconds * fps])[-1], seed)
    reach = max(1, round(REACH_SECONDS * fps))
    return Request(
        prompt.strip()[:60], (part,), scene.frame_current, reach, Options() if options is None else options
    )
