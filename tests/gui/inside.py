"""Runs inside the tested Blender and answers questions about it; what a person does comes by mouse and keyboard.

Listens on a port of 127.0.0.1 that it writes to the file $KMM_GUI_PORT. Each line that arrives is JSON: Python
source, whose value goes back as JSON. The source sees this module's names.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
import traceback
from contextlib import suppress
from pathlib import Path

import bpy

POLL_SECONDS = 0.01


class Ears:
    """The socket, and the timer that looks at it."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self._client: socket.socket | None = None
        self._heard = b""
        target = Path(os.environ["KMM_GUI_PORT"])
        temporary = target.with_suffix(".tmp")
        temporary.write_text(str(self._server.getsockname()[1]))
        temporary.replace(target)

    def listen(self) -> float:
        with suppress(BlockingIOError):
            if self._client is None:
                self._client, _ = self._server.accept()
                self._client.setblocking(False)
            data = self._client.recv(65536)
            self._heard += data
            if not data:
                self._client = None
        while b"\n" in self._heard and self._client is not None:
            line, _, self._heard = self._heard.partition(b"\n")
            self._client.setblocking(True)
            self._client.sendall(json.dumps(answer(json.loads(line)), default=list).encode() + b"\n")
            self._client.setblocking(False)
        return POLL_SECONDS


def answer(source: str) -> dict[str, object]:
    try:
        return {"value": eval(source, globals())}
    except Exception:
        return {"error": traceback.format_exc()}


def regions() -> list[dict[str, object]]:
    """Every region of every window: where it is, in pixels from the screen's bottom left."""
    found = []
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if region.width > 1 and region.height > 1:
                    found.append(
                        {
                            "area": area.ui_type,
                            "region": region.type,
                            "box": (window.x + region.x, window.y + region.y, region.width, region.height),
                        }
                    )
    return found


def region_of(area: str, region: str) -> bpy.types.Region:
    """The first one of this kind in the first editor of that kind."""
    areas = (a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.ui_type == area)
    return next(r for a in areas for r in a.regions if r.type == region)


def hovered() -> str:
    """The button under the mouse: its operator call or its property's path; empty if there is none."""
    manager = bpy.context.window_manager
    for window in manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                with bpy.context.temp_override(window=window, area=area, region=region):
                    for operator in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
                        if not operator.poll():
                            continue
                        manager.clipboard = ""
                        with suppress(RuntimeError):
                            if operator is bpy.ops.ui.copy_data_path_button:
                                operator(full_path=True)
                            else:
                                operator()
                            if manager.clipboard:
                                return manager.clipboard
    return ""


def curves_of(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """All F-curves of an action in layers, or flat as before Blender 4.4."""
    if hasattr(action, "layers"):
        return [
            c for layer in action.layers for s in layer.strips for bag in s.channelbags for c in bag.fcurves
        ]
    return list(action.fcurves)


def speak(language: str) -> str:
    """Set Blender to a language; what our first operator is called then."""
    view = bpy.context.preferences.view
    view.language = language
    view.use_translate_interface = view.use_translate_tooltips = True
    return bpy.app.translations.pgettext_iface("Generate Motion", "Operator")


def redraw() -> None:
    """Draw everything now."""
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)


def close_last_window() -> None:
    """As its close button does, which a screen without a window manager does not have."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()


def choose_weights(name: str) -> None:
    bpy.context.preferences.addons["bl_ext.user_default.kmm"].preferences.weights = name


def start_engine() -> None:
    bpy.ops.kmm.start_engine()


def show_sidebar(tab: str) -> None:
    """The 3D view's sidebar with this tab in front."""
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    redraw()
    region_of("VIEW_3D", "UI").active_panel_category = tab


def generate(operator: object, prompt: str, seconds: float) -> None:
    """As the button does."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        operator("INVOKE_DEFAULT", prompt=prompt, seconds=seconds, seed=1)


def second_window() -> None:
    """Not a child of the first, which would show its scene."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.window_new_main()


def second_scene() -> None:
    """Another scene, shown in the second window."""
    bpy.context.window_manager.windows[-1].scene = bpy.data.scenes.new("Second")


def new_file() -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.read_homefile()


def open_file(path: str) -> None:
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.wm.open_mainfile(filepath=path)


def undo_step() -> None:
    """What is undone after this goes back to how it is now."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.ed.undo_push(message="Step")


def reload_add_on() -> None:
    """Disabled and enabled again."""
    for operator in (bpy.ops.preferences.addon_disable, bpy.ops.preferences.addon_enable):
        operator(module="bl_ext.user_default.kmm")


class Passes:
    """How long each pass of Blender's main loop takes: a timer that is due at once runs once in each."""

    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = []
        self._timer = self._tick  # Blender knows a timer by the object, and a method is a new one each time

    def start(self, redraw: bool = False) -> None:
        """redraw: have the 3D view drawn ten times a second, as when poses stream in."""
        self._times, self._redraw, self._redrawn = [], redraw, 0.0
        bpy.app.timers.register(self._timer)

    def seconds(self) -> float:
        return time.perf_counter() - self._times[0][0] if self._times else 0.0

    def stop(self) -> list[tuple[float, float]]:
        """Seconds on the wall and of the main thread's own processor time, one pair a pass."""
        bpy.app.timers.unregister(self._timer)
        return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(self._times)]

    def _tick(self) -> float:
        now = time.perf_counter()
        self._times.append((now, time.thread_time()))
        if self._redraw and now > self._redrawn + 0.1:
            self._redrawn = now
            for name in ("UI", "WINDOW"):
                region_of("VIEW_3D", name).tag_redraw()
        return 0.0


passes = Passes()
ears = Ears()
bpy.app.timers.register(ears.listen, persistent=True)
