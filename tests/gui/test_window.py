"""A morning's work in a real window, by mouse and keyboard; a screenshot after each step."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import steps
from .screen import Screen
from .window import Window

ENGINE = "__import__('sys').modules['bl_ext.user_default.kmm.stream'].engine"
GENERATION = "__import__('sys').modules['bl_ext.user_default.kmm.stream'].generation"
RUNNING = "__import__('sys').modules['bl_ext.user_default.kmm.stream'].running()"


@pytest.mark.timeout(900)
def test_a_mornings_work(display: Screen, addon_zip: Path, pictures: Path, tmp_path: Path) -> None:
    resources = tmp_path / "Blender of Zoë"
    environment = {"KMM_PYTHON": sys.executable}
    with Window(display, resources, "--factory-startup", environment=environment) as window:
        steps.install(window, addon_zip)
        steps.open_panel(window)
        window.picture(pictures / "01 installed.png")

        window.write("kmm.prompt", "a person walks forward")
        window.write("kmm.seconds", "600")
        window.click("kmm.generate")
        window.wait(f"{GENERATION}.frames_done > 0", 180)  # the engine's first start
        window.picture(pictures / "02 generating.png")
        window.click("kmm.cancel")
        window.wait(f"not {RUNNING}")
        window.picture(pictures / "03 cancelled.png")
        assert 0 < window.ask(f"{GENERATION}.frames_kept") < 600 * 24

        window.write("kmm.seconds", "4")
        window.click("kmm.generate")
        window.wait(f"not {RUNNING}")
        window.picture(pictures / "04 generated.png")
        assert window.ask(f"{GENERATION}.message") == "Done: 96 frames"
        assert window.ask("tuple(bpy.context.scene.kmm.character.animation_data.action.frame_range)") == [
            1,
            96,
        ]
        printed = window.console.read_text(errors="replace")
    assert "Traceback" not in printed and "Error" not in printed, printed
