"""Windows, scenes, files and the add-on itself come and go while a motion streams in, and nothing is left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from . import window as blender
from .screen import Screen
from .test_window import ACTION, RUNNING, START_SECONDS, STREAM, check_console, gone
from .window import Window

FIRST = "bpy.context.window_manager.windows[0]"
CUBE = "bpy.data.objects['Cube']"
#: Of a motion that is not done before the test is: a fast machine makes ten minutes in one.
SECONDS = 3000
FRAMES = f"{STREAM}.generation.frames_done"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_comes_and_goes_in_mid_stream(display: Screen, addon_zip: Path, tmp_path: Path) -> None:
    resources = tmp_path / "resources"
    resources.mkdir()
    blender.install(addon_zip, resources)
    environment = {"KMM_PYTHON": os.environ.get("KMM_PYTHON", sys.executable)}
    file = tmp_path / "half.blend"
    with Window(display, resources, environment=environment) as window:

        def begin() -> None:
            window.ask(f"generate(bpy.ops.kmm.generate, 'a person walks', {SECONDS:.1f})")
            window.wait(f"{FRAMES} > 0", START_SECONDS)

        def goes_on() -> None:
            done = window.ask(FRAMES)
            window.wait(f"{RUNNING} and {FRAMES} > {done}", START_SECONDS)

        # a second window with a second scene opens and closes; the first window looks into the other scene and back
        window.ask("show_sidebar('KMM')")
        begin()
        window.ask("second_window()")
        window.ask("second_scene()")
        goes_on()
        window.ask("close_last_window()")
        goes_on()
        assert window.ask(f"{FIRST}.scene.name") == "Scene"
        window.ask(f"setattr({FIRST}, 'scene', bpy.data.scenes['Second'])")
        goes_on()
        assert window.ask("bpy.data.scenes['Second'].kmm.character is None")
        window.ask(f"setattr({FIRST}, 'scene', bpy.data.scenes['Scene'])")

        # rate and range change, something else is done and taken back by keyboard
        window.ask("setattr(bpy.data.scenes['Scene'].render, 'fps', 30)")
        window.ask("setattr(bpy.data.scenes['Scene'], 'frame_end', 80)")
        window.ask("undo_step()")
        window.press("g", "x", "2", "Return", until=f"{CUBE}.location.x == 2")
        goes_on()
        window.press("ctrl+z", until=f"{CUBE}.location.x == 0")
        goes_on()

        # saved; then a new file, and the saved one
        window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(file)!r})")
        goes_on()
        window.ask("new_file()")
        window.wait(f"not {RUNNING}")
        assert window.ask("len(bpy.data.actions)") == 0
        begin()
        window.ask(f"open_file({str(file)!r})")
        window.wait(f"not {RUNNING}")
        assert 0 < window.ask(f"len(curves_of({ACTION})[0].keyframe_points)") < 30 * SECONDS
        assert window.ask("bpy.data.scenes['Scene'].render.fps") == 30

        # the add-on is reloaded
        begin()
        engine = window.ask(f"{STREAM}.engine.pid")
        window.ask("reload_add_on()")
        assert gone(engine)
        assert not window.ask(RUNNING) and not window.ask(f"bpy.app.timers.is_registered({STREAM}.tick)")

        # Blender is quit
        begin()
        engine = window.ask(f"{STREAM}.engine.pid")
    assert gone(engine)
    check_console(window)
