"""What runs: the engine, at most one generation, and the timer that looks after both on the main thread.

All of it is held here and never in the .blend.
"""

from __future__ import annotations

import atexit
import time
import traceback
from contextlib import suppress

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_rpt as _

from . import hints, preferences, storyboard
from .engine import Command, Engine
from .find_python import find_python
from .generation import WRITE_SECONDS, Generation
from .request import Request, UserError

TICK_SECONDS = 0.01  #: between two looks while something is going on
IDLE_SECONDS = 1.0  #: between two looks whether an idle engine still lives
WRITE_SHARE = 0.2  #: of the time between two looks that may go into taking and writing keys,
MAX_WRITE_SECONDS = 0.02  #: but no more than so many seconds
REDRAW_SECONDS = 0.1  #: between two redraws of the panel
#: While an operator with one of these options runs, no undo step may be made: what it does may yet be cancelled.
HOLDING = {"UNDO", "UNDO_GROUPED", "BLOCKING"}

engine = Engine()
generation: Generation | None = None

_to_announce = False  # a generation has ended, and its undo step and report are still to come
_redrawn = 0.0
_looked = 0.0


def start_engine(context: bpy.types.Context) -> None:
    """Start the engine unless it runs. Raises UserError."""
    engine.poll()
    if not engine.running:
        chosen, weights, idle_minutes = preferences.get(context)
        python = find_python(chosen)
        if python is None:
            what = _("There is no program {}") if chosen else _("The engine is not installed")
            todo = _("install it (panel Engine), or choose its Python in the preferences")
            raise UserError(f"{what.format(chosen)}; {todo}")
        try:
            engine.start(Command(python, weights, idle_minutes))
            hints.forget()
        except OSError as error:
            raise UserError(_("The engine's Python cannot be started: {}").format(error)) from error
    watch()


def stop_engine() -> None:
    """Stop the engine; a motion that is being generated keeps the keys that it has."""
    if running():
        assert generation is not None
        generation.cancel("The engine was stopped")
    engine.stop()
    watch()


def generate(context: bpy.types.Context, request: Request) -> Generation:
    """Begin; the timer does the rest, or `wait` for it. Raises UserError."""
    global generation, _to_announce
    if running():
        raise UserError("A motion is being generated already; cancel it or wait for it")
    request.check(storyboard.rate(context.scene))
    start_engine(context)
    settle()
    generation = Generation(context, request)
    _to_announce = True
    return generation


def wait() -> Generation:
    """Until the generation has ended, without a timer: for scripts, and where Blender has no window."""
    global _to_announce
    assert generation is not None
    _to_announce = False  # whoever waits does that
    try:
        while not generation.ended:
            engine.poll()
            generation.step(engine, budget=float("inf"))
            time.sleep(0.002)
    finally:
        generation.cancel("Interrupted")  # which does nothing to one that has ended
    return generation


def cancel(restore: bool = False, reason: str = "Cancelled") -> None:
    """End the generation that is running, if one is; keep its keys, or have everything as it was before."""
    if running():
        assert generation is not None
        generation.cancel(reason, restore)


def running() -> bool:
    return generation is not None and not generation.ended


def pending() -> bool:
    """Whether takes wait to be accepted or rejected."""
    return generation is not None and generation.pending


def settle() -> bool:
    """Accept the take that is on the character, if takes wait: before something new begins. Gives whether it did.

    Raises UserError.
    """
    if not pending():
        return False
    assert generation is not None
    try:
        generation.accept()
    except UserError:
        if pending():
            raise
        return False  # it is gone, which settles it as well
    return True


def watch() -> None:
    """Have the timer run."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    bpy.app.timers.register(tick, persistent=True)


def tick() -> float | None:
    """Look after everything that runs once; gives the seconds until the next look, None for never."""
    try:
        engine.poll()
        _look_after_generation()
        _redraw()
    except Exception:  # a mistake of ours must leave neither a generation that never ends nor no timer
        traceback.print_exc()
        try:
            cancel(reason="Ended by an error in the add-on, which the system console shows")
        except Exception:
            traceback.print_exc()
    if running() or engine.busy or _to_announce:
        return TICK_SECONDS
    return IDLE_SECONDS if engine.running else None


def _look_after_generation() -> None:
    if generation is None:
        return
    if _rendering():  # data that is changed meanwhile can crash Blender
        generation.hold(_("Waiting until the render is done"))
    elif running():
        generation.step(engine, _budget())
    else:
        with suppress(UserError):  # gone, and nothing to choose from
            generation.catch_up()
        if _to_announce and not _dragging():
            engine.ask_memory()
            _announce()


def _budget() -> float:
    """Seconds for writing keys now: more where Blender itself takes long between two looks, or it would never end."""
    global _looked
    now = time.monotonic()
    since, _looked = now - _looked, now
    return min(max(WRITE_SECONDS, since * WRITE_SHARE), MAX_WRITE_SECONDS)


def _announce() -> None:
    """One undo step for the whole generation, and one line that says how it ended."""
    global _to_announce
    _to_announce = False
    assert generation is not None
    windows = bpy.context.window_manager.windows
    if not windows:
        return
    if generation.frames_kept:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message="Generate Takes" if generation.pending else "Generate Motion")
    report(generation.message, generation.failed)


def report(message: str, failed: bool) -> None:
    """Say in the status bar how something ended that went on by itself."""
    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.kmm.report("INVOKE_DEFAULT", message=message, failed=failed)


def _rendering() -> bool:
    return bpy.app.is_job_running("RENDER")


def _dragging() -> bool:
    windows = bpy.context.window_manager.windows
    return any(holds(operator) for window in windows for operator in window.modal_operators)


def holds(operator: bpy.types.Operator) -> bool:
    """Whether the operator, while it runs, holds what is not yet to be undone; those that only watch do not."""
    return bool(HOLDING & operator.bl_options)


def _redraw() -> None:
    global _redrawn
    if time.monotonic() - _redrawn < REDRAW_SECONDS and running():
        return
    _redrawn = time.monotonic()
    redraw("VIEW_3D")


def redraw(*editors: str) -> None:
    """Have our panels drawn anew in editors of these types."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions if area.type in editors else ():
                if region.type == ("UI" if area.type == "VIEW_3D" else "WINDOW"):
                    region.tag_redraw()


@persistent
def _before_load(*_: object) -> None:
    global _to_announce
    _to_announce = False  # in the other file there is nothing of it to undo
    if generation is not None:
        generation.abandon()


@persistent
def _before_save(*_: object) -> None:
    if running():
        assert generation is not None
        generation.before_save()


@persistent
def _after_undo(*_: object) -> None:
    if generation is not None:
        generation.after_undo()
        watch()


def register() -> None:
    handlers = bpy.app.handlers
    handlers.load_pre.append(_before_load)
    handlers.save_pre.append(_before_save)
    handlers.undo_post.append(_after_undo)
    handlers.redo_post.append(_after_undo)
    atexit.register(engine.close)


def unregister() -> None:
    global generation, _to_announce
    cancel()
    generation, _to_announce = None, False
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    engine.close()
    atexit.unregister(engine.close)
    handlers = bpy.app.handlers
    handlers.load_pre.remove(_before_load)
    handlers.save_pre.remove(_before_save)
    handlers.undo_post.remove(_after_undo)
    handlers.redo_post.remove(_after_undo)
