"""A morning's work in a real window, by mouse and keyboard; a screenshot after each step."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from . import steps
from .screen import Screen
from .window import Window

STREAM = "__import__('sys').modules['bl_ext.user_default.kmm.stream']"
RUNNING = f"{STREAM}.running()"
BLOCKS = "bpy.context.scene.kmm.blocks"
ACTION = "bpy.context.scene.kmm.character.animation_data.action"
START_SECONDS = 300.0  #: for the engine's first start on a busy machine


def keys(window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T,) frames and (T, channels) values of what is generated: all bones' rotations, and where the pelvis is."""
    made = "[c for c in curves_of({}) if 'rotation' in c.data_path or 'pelvis\"].location' in c.data_path]"
    found = window.ask(f"[[tuple(p.co) for p in c.keyframe_points] for c in {made.format(ACTION)}]")
    frames = np.array([[x for x, _ in curve] for curve in found])
    assert (frames == frames[0]).all()
    return frames[0], np.array([[y for _, y in curve] for curve in found]).T


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_mornings_work(display: Screen, addon_zip: Path, pictures: Path, tmp_path: Path) -> None:
    resources = tmp_path / "Blender of Zoë"
    environment = {"KMM_PYTHON": os.environ.get("KMM_PYTHON", sys.executable)}
    file = tmp_path / "morning.blend"
    with Window(display, resources, environment=environment) as window:

        def shot(name: str) -> None:
            window.picture(pictures / f"{name}.png")

        def generated() -> None:
            window.wait(f"not {RUNNING}", START_SECONDS)
            assert window.ask(f"{STREAM}.generation.message").startswith("Done"), window.ask(
                f"{STREAM}.generation.message"
            )

        window.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(file)!r})")
        steps.install(window, addon_zip)
        steps.open_panel(window)
        window.press("Delete", until="'Cube' not in bpy.data.objects")
        steps.come_nearer(window)
        shot("01 installed")

        window.write("blocks[0].prompt", "a person walks", until=f"{BLOCKS}[0].prompt == 'a person walks'")
        window.click("kmm.block_add", until=f"len({BLOCKS}) == 2")
        window.write("blocks[1].prompt", "a person sits down", until=f"'sits' in {BLOCKS}[1].prompt")
        window.write("blocks[1].seconds", "3000", until=f"{BLOCKS}[1].seconds == 3000")
        shot("02 two blocks")

        window.click("kmm.generate", until=RUNNING)
        window.wait(f"{STREAM}.generation.frames_done > 0", START_SECONDS)
        shot("03 generating")
        window.click("kmm.cancel(restore=True)", until=f"not {RUNNING}")
        shot("04 cancelled")
        assert window.ask("len(bpy.data.actions)") == 0 and window.ask("'KMM' not in bpy.data.objects")

        window.write("blocks[1].seconds", "2", until=f"{BLOCKS}[1].seconds == 2")
        with steps.sub_panel(window, "Takes"):
            window.write("kmm.takes", "2", until="bpy.context.scene.kmm.takes == 2")
        window.click("kmm.generate", until=f"{RUNNING} or {STREAM}.pending()")
        generated()
        window.click("kmm.take_show(step=1)", until=f"{STREAM}.generation.shown == 1")
        shot("05 second of two takes")
        window.click("kmm.take_accept", until=f"not {STREAM}.pending()")
        shot("06 accepted")
        frames, before = keys(window)
        assert list(frames) == list(range(1, 145)) and window.ask("len(bpy.data.actions)") == 1
        assert window.ask(f"[b.seed for b in {BLOCKS}]") == [2, 2]

        window.press("ctrl+z", until="len(bpy.data.actions) == 0")
        shot("07 undone")
        assert window.ask("'KMM' not in bpy.data.objects") and window.ask(f"len({BLOCKS})") == 2
        assert window.ask(f"[(b.seed, b.made_frames) for b in {BLOCKS}]") == [[1, 0], [1, 0]]
        window.press(
            "ctrl+shift+z", until=f"[b.seed for b in {BLOCKS}] == [2, 2]"
        )  # by way of choosing again
        assert not window.ask(f"{STREAM}.pending()") and window.ask("len(bpy.data.actions)") == 1
        np.testing.assert_array_equal(keys(window)[1], before)

        window.click("kmm.regenerate_block(new_seed=True)", until=f"{RUNNING} or {STREAM}.pending()")
        generated()
        shot("08 second block anew")
        window.search("Accept Take", pictures / "09 found by its name.png", f"not {STREAM}.pending()")
        frames, after = keys(window)
        transition = round(0.3 * 24)
        np.testing.assert_array_equal(after[: 96 - transition], before[: 96 - transition])
        assert np.abs(after[100:] - before[100:]).max() > 0.01
        assert window.ask(f"[b.seed for b in {BLOCKS}]") == [2, 3]

        pose_mode(window)
        go_to(window, 40)
        window.press("ctrl+c")
        pose(window, 200, "")
        pose(window, 240, "g y minus 1 period 6 Return")
        go_to(window, 220)
        choose_first_block(window)
        window.press("KP_Decimal")  # look at the bones
        given = keys(window)
        shot("10 two poses")
        with steps.sub_panel(window, "Motion"):
            window.click("kmm.in_between", until=f"{RUNNING} or {STREAM}.pending()")
            generated()
            shot("11 between two poses")
            window.click("kmm.take_accept", until=f"not {STREAM}.pending()")
        frames, filled = keys(window)
        assert set(range(200, 241)) <= set(frames)
        kept = np.isin(frames, given[0])
        np.testing.assert_array_equal(filled[kept], given[1])

        window.press("ctrl+s", until="not bpy.data.is_dirty")
        shot("12 saved")
        engine = window.ask(f"{STREAM}.engine.pid")
        window.quit()
    check_console(window)
    assert gone(engine)

    with Window(display, resources, str(file), environment=environment) as window:
        steps.open_panel(window)
        window.picture(pictures / "13 reopened.png")
        np.testing.assert_array_equal(keys(window)[1], filled)
        assert window.ask(f"[b.prompt for b in {BLOCKS}]") == ["a person walks", "a person sits down"]
        assert not window.ask(f"{STREAM}.engine.running")

        started = f"{STREAM}.engine.running"
        window.search("Start Engine", pictures / "14 engine found.png", started)
        window.wait(f"{STREAM}.engine.client is not None", START_SECONDS)
        with steps.sub_panel(window, "Engine"):
            window.picture(pictures / "15 engine.png")
            for language, words in (("fr_FR", "Générer le mouvement"), ("de_DE", "Bewegung erzeugen")):
                assert window.ask(f"speak({language!r})") == words
                window.picture(pictures / f"16 {language}.png")
            begun = f"{RUNNING} or {STREAM}.pending()"
            window.search("Bewegung erzeugen", pictures / "17 found in German.png", begun)
            window.wait(f"not {RUNNING}", START_SECONDS)
            window.picture(pictures / "18 generated in German.png")
    check_console(window)


def choose_first_block(window: Window) -> None:
    """Click on its line of the list."""
    x, y = window.find("kmm.block_add")
    window.screen.click(x - 165, y + 6)
    window.wait("bpy.context.scene.kmm.active_block == 0")


def pose_mode(window: Window) -> None:
    """Of the character, all of its bones selected."""
    # the lines of the outliner: the scene, the collection, the camera and the armature
    active = "bpy.context.view_layer.objects.active"
    window.click_down("OUTLINER", "WINDOW", f"getattr({active}, 'type', '') == 'ARMATURE'")
    window.press("ctrl+Tab", until="bpy.context.mode == 'POSE'")
    window.press("a")


def pose(window: Window, frame: int, keystrokes: str) -> None:
    """Paste the copied pose, change it by keys, and key all bones at the frame."""
    go_to(window, frame)
    window.press("ctrl+v", *keystrokes.split())
    keyed = f"any(p.co.x == {frame} for c in curves_of({ACTION}) for p in c.keyframe_points)"
    window.press("i", until=keyed)


def go_to(window: Window, frame: int) -> None:
    """Write the number into the timeline's field."""
    here = "bpy.context.scene.frame_current"
    window.write("frame_current", str(frame), "TIMELINE", "HEADER", until=f"{here} == {frame}")


def check_console(window: Window) -> None:
    printed = window.console.read_text(errors="replace")
    assert "Traceback" not in printed and "Error" not in printed, printed


def gone(pid: int, seconds: float = 30.0) -> bool:
    """Whether the process ends in this time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False
