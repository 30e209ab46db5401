"""One generation: what the engine sends goes onto a character while it comes, and becomes one or several takes."""

from __future__ import annotations

import math
import time
from contextlib import suppress

import bpy
from bpy.app.translations import pgettext_rpt as _
from kmm.protocol import Done, Error, Frames, Progress, Reply
from kmm.sparse import Steps, finished

from . import action_api, block_motion, character, edit_keys, hints, keeping
from .cast import Cast
from .conversation import Conversation
from .engine import Engine, State
from .keying import Removed
from .performance import Performance
from .request import Request, UserError
from .takes import Take

WRITE_SECONDS = 0.008  #: of key writing at one step, so that the interface stays alive


class Generation:
    """Makes room for the keys at once; each `step` takes what came from the engine and writes it.

    When it has ended, several takes wait (`pending`) to be shown, and one of them accepted or all rejected. One take
    is accepted as it comes.
    """

    def __init__(self, context: bpy.types.Context, request: Request) -> None:
        scene = context.scene
        self.request = request
        self.message = "Waiting for the engine"  #: what is happening, or how it ended; one line
        self.ended = False
        self.failed = False
        self.held = ""  #: why nothing is written now, one line; "" where it is
        self.pending = False
        self.shown = 0  #: the take that the character shows
        self.progress = 0.0  #: share of the engine's work that is done
        self.seconds_left: float | None = None
        self._takes: list[Take] = []
        self._complete = False  # the engine has sent all
        self._steps: Steps[None] | None = None  # of keeping what has come
        self._undone = False  # what undo or redo gave back was not yet looked at
        self._fps = scene.render.fps / scene.render.fps_base
        self._conversation = Conversation(request, self._fps)

        obj = character.target(context)
        if obj is not None:
            _check_can_be_animated(obj)
        self._created: set[int] = set()  # the session_uids of the objects of a new character
        if obj is None:
            obj = character.create(context)
            self._created = character.made_by_create(obj)
        self._scene_uid = scene.session_uid  # an id: a reference to Blender's data does not outlive an undo
        try:
            self._cast = Cast(scene, obj, request)
        except Exception:
            character.remove(self._created)
            raise
        scene.kmm.character = obj

    @property
    def frames_done(self) -> int:
        """Frames keyed and on the character, at the scene's rate."""
        return self._cast.character.shown

    @property
    def frames_total(self) -> int:
        """Frames to key, at the scene's rate."""
        return self._cast.character.length

    @property
    def takes(self) -> int:
        """How many takes there are to choose from."""
        return len(self._takes)

    @property
    def incomplete(self) -> bool:
        """Whether it ended before all was there."""
        return self.ended and not self._complete

    @property
    def frames_kept(self) -> int:
        """Frames that are keyed when it has ended, at the scene's rate."""
        return self._cast.character.received

    def step(self, engine: Engine, budget: float = WRITE_SECONDS) -> None:
        """Take what came from the engine and write it, for at most about `budget` seconds."""
        if self.ended:
            return
        deadline = time.perf_counter() + budget
        self.hold(self._cast.tweaked())
        if self.held:
            return
        try:
            if not self._complete:
                self._hear(engine, deadline)
            left = max(0.0, deadline - time.perf_counter())
            if not self.ended and self._cast.write(left) and self._complete:
                if self._steps is None:
                    self._finish()
                if self._steps is not None:
                    self._keep_on(deadline)
        except Removed:
            self.cancel("Ended: what was being keyed is gone (undone or deleted)")

    def hold(self, reason: str) -> None:
        """Nothing can be written now, if there is a reason; what the engine sends can wait."""
        if reason:
            self._conversation.reset_silence()
        self.held = reason

    def cancel(self, reason: str = "Cancelled", restore: bool = False) -> None:
        """End the engine's work on it; keep the keys that are there, or have everything as it was before."""
        if self.ended:
            return
        steps, self._steps = self._steps, None
        if steps is not None and not restore:  # all has come, only its keys are still many
            with suppress(Removed):
                finished(self._keeping(refined=False))
                self.ended = True
                return
        self._conversation.cancel()
        if restore:
            self._cast.character.forget()
        self._end(reason)

    def abandon(self) -> None:
        """End the engine's work, and leave the scene alone: it is about to go."""
        self.pending = False
        if not self.ended:
            self._conversation.cancel()
            self.ended, self.message = True, "Ended: another file was opened"

    def show(self, take: int) -> None:
        """Put another of the takes that wait on the character. Raises UserError."""
        self._check_not_held()
        clip = self._takes[take].clip()

        def show(performance: Performance) -> None:
            performance.replace(clip)
            performance.write(math.inf)
            performance.put_on()

        self.shown = take
        try:
            self._cast.all(show)
        except Removed:
            self.pending = False
            raise UserError("The takes are gone: what was keyed has been undone or deleted") from None

    def accept(self) -> None:
        """Keep the take that is shown, and forget the others. Raises UserError."""
        self._check_not_held()
        self.catch_up()
        self.pending = False
        try:
            finished(self._keeping())
        except Removed:
            raise UserError("The take is gone: what was keyed has been undone or deleted") from None

    def reject(self) -> None:
        """Forget all takes: action, pose and frame as they were before."""
        self.pending = False
        self.message = "Rejected"
        self._cast.character.forget()
        self._discard()

    def before_save(self) -> None:
        """Leave only keys with a pose for the file; the next step makes room for the others again."""
        with suppress(Removed):
            self._cast.all(Performance.before_save)

    def after_undo(self) -> None:
        """Undo or redo may have taken back keys that were written since, or how it ended: see `catch_up`."""
        self._cast.invalidate()
        if self._steps is not None:  # what they have read may be gone
            self._steps = self._keeping()
        self._undone = True
        self.pending = self.ended and self._complete and len(self._takes) > 1 and self._unkept()

    def catch_up(self) -> None:
        """Where undo or redo gave back how it was before anything was kept, end anew. Raises UserError.

        Several takes wait again, what was not wanted goes, and all else is kept.
        """
        if not self._undone or not self.ended:
            return
        self.hold(self._cast.tweaked())
        if self.held:
            return
        self._undone = False
        if not self._unkept():
            return
        if self.pending:
            self.show(self.shown)
        elif not self.frames_kept:
            self._discard()
        else:
            with suppress(Removed):
                self._cast.all(Performance.end)
                if self._complete:
                    finished(self._keeping())

    def _check_not_held(self) -> None:
        if tweaked := self._cast.tweaked():
            raise UserError(tweaked)

    def _unkept(self) -> bool:
        """Whether what it made is there, as it was before it was kept."""
        scene = self._scene()
        try:
            return scene is not None and not keeping.kept(scene, self._cast.character.action())
        except Removed:
            return False

    def _scene(self) -> bpy.types.Scene | None:
        return next((s for s in bpy.data.scenes if s.session_uid == self._scene_uid), None)

    def _hear(self, engine: Engine, deadline: float) -> None:
        if engine.state is State.STARTING:
            self.message = "Starting the engine"
        try:
            for reply in self._conversation.replies(engine, deadline):
                self._take(reply)
                if self.ended:
                    return
        except UserError as error:
            self._end(str(error), failed=True)

    def _take(self, event: Reply) -> None:
        if not self._takes:
            fps = self._conversation.fps
            self._takes = [Take(self.request, fps, self._fps) for _ in range(self.request.options.takes)]
        if isinstance(event, Frames):
            take = self._takes[event.sample]
            clip = take.push(event.translation, event.rotations, event.contacts)
            if event.sample == self.shown:
                self._cast.all(lambda performance: performance.append(clip))
            self.message = "Generating"
        elif isinstance(event, Progress):
            self.progress = event.done / max(1, event.total)
            if self.progress > 0:
                self.seconds_left = event.seconds_elapsed * (1 / self.progress - 1)
        elif isinstance(event, Error):
            self._end(f"{event.message} {event.action}", failed=True)
        elif isinstance(event, Done):
            hints.note((part.prompt.strip() for part in self.request.parts), event.familiarity)
            self._complete = all(take.complete for take in self._takes)
            if not self._complete:
                self._end("The engine sent fewer frames than it was asked for", failed=True)
                return
            self._cast.complete()
            if self._takes[self.shown].adjusted:
                whole = self._takes[self.shown].clip()
                self._cast.all(lambda performance: performance.replace(whole))

    def _finish(self) -> None:
        """All is there and shown."""
        self._cast.all(Performance.finish)
        self.progress, self.seconds_left = 1.0, None
        if len(self._takes) > 1:
            self.ended = self.pending = True
            done = _("Done: {} takes of {} frames to choose from")
            self.message = done.format(len(self._takes), self._cast.character.length)
        else:
            self._steps = self._keeping()

    def _keeping(self, refined: bool = True) -> Steps[None]:
        """Keep what is there, in many short steps: to reduce keys takes longer than a redraw may."""
        scene, trouble = self._scene(), ""
        if scene is not None and refined:
            contacts = self._takes[self.shown].clip().contacts
            self.message = "Refining the keys"
            trouble = yield from edit_keys.refine(scene, self._character_and_action, self.request, contacts)
            scene = self._scene()
        obj, action = self._character_and_action()
        self._cast.all(Performance.keep)
        self.message = _("Done: {} frames").format(self._cast.character.length)
        self.message += f"; {_(trouble)}" if trouble else ""
        if scene is not None:
            keeping.note(scene, self.request, action, self.shown)
            block_motion.mark(scene, obj, action)
        if self.request.options.accept_as == "STRIP":
            self._cast.character.to_strip()

    def _character_and_action(self) -> tuple[bpy.types.Object, bpy.types.Action]:
        return self._cast.character.object(), self._cast.character.action()

    def _keep_on(self, deadline: float) -> None:
        """Go on keeping what is there; then it has ended."""
        assert self._steps is not None
        try:
            next(self._steps)
            while time.perf_counter() < deadline:
                next(self._steps)
        except StopIteration:
            self._steps, self.ended = None, True

    def _end(self, reason: str, failed: bool = False) -> None:
        """It ends before all is there; what is there stays."""
        self.ended, self.failed = True, failed
        kept, length = self._cast.character.received, self._cast.character.length
        self.message = reason = _(reason)
        if kept == 0:
            self._discard()
            return
        with suppress(Removed):
            self._cast.all(Performance.end)
        try:
            self._cast.character.action()
            self.message = _("{}; {} of {} frames are kept").format(reason, kept, length)
        except Removed:
            self._cast.character.forget()

    def _discard(self) -> None:
        """Nothing is kept: leave everything as it was."""
        character.remove(self._created)  # first, so that its children stay where its pose has them
        self._cast.all(Performance.discard)


def _check_can_be_animated(obj: bpy.types.Object) -> None:
    if obj.library is not None:
        raise UserError(
            _("{} is linked from another file; make a library override of it first").format(obj.name)
        )
    if tweaked := action_api.tweaked(obj):
        raise UserError(tweaked)
