"""One motion on its way from the engine to an armature."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass

import bpy
from kmm.client import Client, ClientError
from kmm.clip import FPS
from kmm.protocol import (
    MAX_FRAMES,
    MAX_PROMPT_CHARACTERS,
    Done,
    Error,
    Frames,
    PromptSegment,
    ProtocolError,
    Reply,
)
from kmm.resample import StreamResampler

from . import action_api, armature, character
from .engine import Engine, State
from .keying import Keyer, Removed

WRITE_SECONDS = 0.008  #: of key writing at one step, so that the interface stays alive
#: Between two writes, for each frame of the motion: after a write Blender copies the whole action to evaluate it.
WRITE_PAUSE_SECONDS = 1e-4
SILENCE_SECONDS = 300.0  #: a request of which nothing is heard for so long is given up


class UserError(Exception):
    """Something that the user can put right; the text is one sentence for people."""


@dataclass(frozen=True)
class Request:
    """What to generate."""

    prompt: str
    seconds: float
    seed: int

    def check(self) -> None:
        """Raises UserError."""
        if not self.prompt.strip():
            raise UserError("The prompt is empty; say what the character should do")
        if len(self.prompt) > MAX_PROMPT_CHARACTERS:
            raise UserError(f"The prompt is longer than {MAX_PROMPT_CHARACTERS} characters; say it shorter")
        longest = MAX_FRAMES / FPS
        if not 0 < self.seconds <= longest:
            raise UserError(f"A motion cannot be {self.seconds:g} seconds long, but up to {longest:g}")


class Generation:
    """Makes room for the keys at once; each `step` takes what came from the engine and writes it."""

    def __init__(self, context: bpy.types.Context, request: Request) -> None:
        scene = context.scene
        self.message = "Waiting for the engine"  #: what is happening, or how it ended; one line
        self.ended = False
        self.failed = False
        self._request = request
        self._request_id: str | None = None
        self._client: Client | None = None
        self._resampler: StreamResampler | None = None
        self._complete = False  # the engine has sent all
        self._fps = scene.render.fps / scene.render.fps_base
        self._heard = time.monotonic()
        self._goal = 0  # frames that every curve shall hold before the next pause
        self._wrote = -math.inf
        self._shown = False  # the action is on the character, which it is once it has a first pose

        obj = character.target(context)
        if obj is not None:
            _check_can_be_animated(obj)
        self._created = obj is None
        obj = obj or character.create(context)
        # ids, not objects: a reference to Blender's data does not outlive an undo
        self._object_uid = obj.session_uid
        action = action_api.new_action(request.prompt.strip()[:60], obj.name)
        length = max(1, round(request.seconds * self._fps))
        self._keyer = Keyer(action, armature.channels(), scene.frame_current, length)
        self._convert = armature.PoseConverter(obj.data)
        scene.kmm.character = obj

    @property
    def frames_done(self) -> int:
        """Frames keyed, at the scene's rate."""
        return self._keyer.written

    @property
    def frames_total(self) -> int:
        """Frames to key, at the scene's rate."""
        return self._keyer.length

    @property
    def incomplete(self) -> bool:
        """Whether it ended before all was there."""
        return self.ended and not self._complete

    @property
    def frames_kept(self) -> int:
        """Frames that are keyed when it has ended, at the scene's rate."""
        return self._keyer.received

    def step(self, engine: Engine, budget: float = WRITE_SECONDS) -> None:
        """Take what came from the engine and write it, for at most about `budget` seconds."""
        if self.ended:
            return
        try:
            if engine.state is State.STARTING:
                self.message, self._heard = "Starting the engine", time.monotonic()
            elif engine.client is None:
                self._end(engine.message or "The engine was stopped", failed=True)
                return
            else:
                self._listen(engine)
            if not self.ended and self._write(budget) and self._complete:
                self._end(f"Done: {self._keyer.length} frames")
        except Removed:
            self.cancel("Ended: what was being keyed is gone (undone or deleted)")

    def cancel(self, reason: str = "Cancelled") -> None:
        """End the engine's work on it, and keep the keys that are there."""
        if not self.ended:
            self._cancel_request()
            self._end(reason)

    def abandon(self) -> None:
        """End the engine's work, and leave the scene alone: it is about to go."""
        if not self.ended:
            self._cancel_request()
            self.ended, self.message = True, "Ended: another file was opened"

    def before_save(self) -> None:
        """Leave only keys with a pose for the file; the next step makes room for the others again."""
        with suppress(Removed):
            self._keyer.trim()

    def after_undo(self) -> None:
        """Undo may have taken back keys that were written since."""
        self._keyer.invalidate()

    def _listen(self, engine: Engine) -> None:
        client = engine.client
        assert client is not None
        try:
            if self._request_id is None:
                self._ask(client)
            for event in client.poll():
                if event.request_id == self._request_id and not self.ended:
                    self._take(event)
        except ProtocolError as error:
            self._end(error.message, failed=True)
            return
        except ClientError:
            engine.fail("The engine stopped unexpectedly")
            self._end(engine.message, failed=True)
            return
        if time.monotonic() - self._heard > SILENCE_SECONDS:
            self._cancel_request()
            self._end("The engine has sent nothing for too long", failed=True)

    def _ask(self, client: Client) -> None:
        """Ask for as many frames at the engine's rate as the keys at the scene's rate need."""
        rate = client.welcome.fps
        self._resampler = StreamResampler(rate, self._fps)
        frames = math.ceil((self._keyer.length - 1) * rate / self._fps - 1e-10) + 1
        segment = PromptSegment(self._request.prompt.strip(), frames)
        self._client, self._request_id = client, client.generate([segment], self._request.seed)

    def _take(self, event: Reply) -> None:
        self._heard = time.monotonic()
        if isinstance(event, Frames):
            assert self._resampler is not None
            clip = self._resampler.push(event.translation, event.rotations)
            self._keyer.append(self._convert(clip))
            self.message = "Generating"
        elif isinstance(event, Error):
            self._end(f"{event.message} {event.action}", failed=True)
        elif isinstance(event, Done):
            self._complete = self._keyer.received == self._keyer.length
            if not self._complete:
                self._end("The engine sent fewer frames than it was asked for", failed=True)

    def _write(self, budget: float) -> bool:
        """Whether all that came is written."""
        if self._keyer.received == 0:
            self._keyer.prepare(budget)
            return True
        if self._keyer.written >= self._goal:
            unhurried = not self._complete and math.isfinite(budget)
            if unhurried and time.monotonic() < self._wrote + WRITE_PAUSE_SECONDS * self._keyer.length:
                return False
            self._goal = self._keyer.received
        done = self._keyer.write(budget)
        if self._keyer.written >= self._goal:
            self._wrote = time.monotonic()
            self._show()
        return done

    def _show(self) -> None:
        """Put the action on the character. Raises Removed."""
        if self._shown:
            return
        obj = self._character()
        if obj is None:
            raise Removed
        armature.use_quaternions(obj)
        action_api.assign(obj, self._keyer.action())
        self._shown = True

    def _character(self) -> bpy.types.Object | None:
        return next((o for o in bpy.data.objects if o.session_uid == self._object_uid), None)

    def _cancel_request(self) -> None:
        if self._client is not None and self._request_id is not None:
            with suppress(ClientError):
                self._client.cancel(self._request_id)

    def _end(self, reason: str, failed: bool = False) -> None:
        self.ended, self.failed = True, failed
        kept, length = self._keyer.received, self._keyer.length
        self.message = reason
        if kept > 0 and not self._complete:
            self.message = f"{reason}; {kept} of {length} frames are kept"
        with suppress(Removed):
            if kept == 0:
                self._discard()
                return
            if kept < length:
                self._keyer.trim()
            else:
                self._keyer.write()
            self._show()

    def _discard(self) -> None:
        """Nothing came: leave everything as it was."""
        bpy.data.actions.remove(self._keyer.action())
        obj = self._character()
        if obj is not None and self._created:
            character.remove(obj)


def _check_can_be_animated(obj: bpy.types.Object) -> None:
    if obj.library is not None:
        raise UserError(f"{obj.name} is linked from another file; make a library override of it first")
    if obj.animation_data is not None and obj.animation_data.use_tweak_mode:
        raise UserError(f"{obj.name} is in the NLA editor's tweak mode; leave it (Tab) first")
