"""What a person does in Blender's own windows, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ImageChops

from .window import Window

ADDON = "bl_ext.user_default.kmm"


def install(window: Window, archive: Path) -> None:
    """Edit > Preferences > Get Extensions > Install from Disk, and close the Preferences again."""
    window.press("Escape")  # the splash screen
    window.press("ctrl+comma", until="any(r['area'] == 'PREFERENCES' for r in regions())")
    time.sleep(0.5)
    section = "bpy.context.preferences.active_section"
    window.click_down("PREFERENCES", "NAVIGATION_BAR", f"{section} == 'EXTENSIONS'")
    left, top, width, _ = window.box("PREFERENCES", "WINDOW")
    window.screen.click(left + width - 18, top + 17)  # the menu beside the search field
    time.sleep(0.5)
    window.screen.press("f")  # its last line: Install _f_rom Disk
    choose_file(window, archive)
    window.wait(f"{ADDON!r} in bpy.context.preferences.addons")
    window.ask("close_last_window()")
    window.wait("len(bpy.context.window_manager.windows) == 1")


def choose_file(window: Window, path: Path) -> None:
    """Type the path into the file browser that is open, and confirm."""
    window.wait("any(r['area'] == 'FILES' for r in regions())")
    time.sleep(0.5)
    window.write("params.directory", f"{path.parent}/", "FILES", "UI")
    window.write("params.filename", path.name, "FILES", "EXECUTE")
    window.click("bpy.ops.file.execute()", "FILES", "EXECUTE")
    window.wait("not any(r['area'] == 'FILES' for r in regions())")


def open_panel(window: Window) -> None:
    """N, and the tab KMM."""
    sidebar = "region_of('VIEW_3D', 'UI')"
    if not window.ask(f"{sidebar}.width > 1"):
        window.press("n", until=f"{sidebar}.width > 1")
        time.sleep(0.5)
    window.click_down("VIEW_3D", "UI", f"{sidebar}.active_panel_category == 'KMM'", across=0.97)


def come_nearer(window: Window) -> None:
    """Turn the mouse wheel in the middle of the 3D view."""
    left, top, width, height = window.box("VIEW_3D", "WINDOW")
    for _ in range(5):
        window.screen.click(left + width // 2, top + height // 2, button=4)


SUB_PANELS = ("Motion", "Takes", "Edit", "Retarget", "Engine")


@contextmanager
def sub_panel(window: Window, name: str) -> Iterator[None]:
    """The sub-panel open for a while: a click on its header, and another one afterwards.

    The headers are no buttons that could be found by pointing, but they come in a known order, a line each, and the
    last one has a button.
    """
    left, _, _, _ = window.box("VIEW_3D", "UI")
    _, y = window.find("_engine()")
    place = left + 80, y - 25 * SUB_PANELS[::-1].index(name)
    _toggle(window, place)
    yield
    _toggle(window, place)


def _toggle(window: Window, place: tuple[int, int]) -> None:
    """Click a header until what is below it has changed; a busy machine misses one now and then."""
    left, top, width, height = window.box("VIEW_3D", "UI")
    below = (left, place[1] + 14, left + width - 24, top + height)
    for _ in range(4):
        window.screen.move(*place)
        time.sleep(0.3)
        before = window.screen.picture().crop(below)
        window.screen.click(*place)
        for _ in range(5):
            time.sleep(0.3)
            window.ask("redraw()")
            changed = ImageChops.difference(before, window.screen.picture().crop(below)).getbbox()
            if changed and changed[3] - changed[1] > 40:
                return
    raise LookupError(f"the header at {place} does not open or close its panel")
