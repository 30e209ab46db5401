"""A real Blender window on a virtual screen, used as a person uses it: by looking, pointing, clicking and typing.

Where a button is, is found by pointing at places until Blender says that the mouse is over it. So nothing here
knows the layout of a panel, and a test that passes has shown that the button can be seen and reached.
"""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .screen import Screen

HERE = Path(__file__).parent
START_SECONDS = 120.0
STEP = 9  #: pixels between two places that are tried; a button is 20 high
HEADER = 26  #: pixels that an editor's header is high
NOTICE_SECONDS = 0.06  #: for Blender to notice where the mouse is
OLDEST = (4, 2)


def executable() -> str:
    """The Blender to test: $KMM_BLENDER_EXE, or the one on PATH; empty if there is none."""
    return os.environ.get("KMM_BLENDER_EXE") or shutil.which("blender") or ""


@functools.cache
def missing() -> str:
    """What keeps a Blender from being tried here, as one line; empty if nothing does."""
    program = executable()
    if not program:
        return "no Blender: set KMM_BLENDER_EXE to its program, or put it on PATH"
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=True)
        version = done.stdout.split()[1]
        found = tuple(int(part) for part in version.split(".")[:2])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return f"{program} does not run, or is no Blender"
    return "" if found >= OLDEST else f"{program} is Blender {version}, too old for the extension"


def install(archive: Path, resources: Path) -> None:
    """The extension from its zip, by Blender's own command, for a Blender with these user resources."""
    command = [executable(), "--command", "extension", "install-file", "-r", "user_default", "--enable"]
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(resources)}
    subprocess.run([*command, str(archive)], check=True, capture_output=True, timeout=300, env=environment)


class Window:
    """Blender, as big as the screen. A context manager."""

    def __init__(
        self, screen: Screen, resources: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.screen = screen
        self._port_file = resources / "port"
        self._arguments = arguments
        self._known: dict[str, tuple[int, int]] = {}  # the middle of buttons that were looked for
        self._seen: dict[str, tuple[int, int]] = {}  # a place on buttons that were passed
        self._last = (screen.width, 0)  # the button that was found last
        resources.mkdir(parents=True, exist_ok=True)
        self._environment = os.environ | {
            "DISPLAY": screen.display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "BLENDER_USER_RESOURCES": str(resources),
            "KMM_GUI_PORT": str(self._port_file),
            **(environment or {}),
        }
        self.console = resources / "console.txt"  #: what Blender printed

    def __enter__(self) -> Window:
        self._port_file.unlink(missing_ok=True)
        command = [executable(), "--no-window-focus", "-p", "0", "0"]
        command += [str(self.screen.width), str(self.screen.height), *self._arguments]
        command += ["--python", str(HERE / "inside.py")]
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                command, env=self._environment, stdout=console, stderr=subprocess.STDOUT
            )
        self._until(self._port_file.exists, START_SECONDS, "Blender did not start")
        self._socket = socket.create_connection(("127.0.0.1", int(self._port_file.read_text())), 60)
        self._lines = self._socket.makefile("rw")
        self._until(lambda: self.ask("bool(regions())"), START_SECONDS, "no window")
        time.sleep(1.0)  # the splash
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is not None:
            self.screen.picture(self.console.with_name("failed.png"))
        self._socket.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)

    # Looking

    def ask(self, source: str) -> Any:
        """The value of a Python expression in Blender; `inside` says what names it sees."""
        self._lines.write(json.dumps(source) + "\n")
        self._lines.flush()
        answer = json.loads(self._lines.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def wait(self, source: str, seconds: float = 60.0) -> None:
        """Until the expression is true in Blender."""
        self._until(lambda: bool(self.ask(source)), seconds, f"not within {seconds:g} s: {source}")

    def picture(self, path: Path) -> None:
        """What is on the screen, the mouse out of the way of tooltips and highlights."""
        self.screen.move(self.screen.width // 2 - 300, self.screen.height - 8)
        for _ in range(3):
            time.sleep(0.3)
            self.ask("redraw()")
        self.screen.picture(path)

    def box(self, area: str, region: str) -> tuple[int, int, int, int]:
        """Left, top, width and height of the region in the editor."""
        for found in self.ask("regions()"):
            if (found["area"], found["region"]) == (area, region):
                left, bottom, width, height = found["box"]
                return left, self.screen.height - bottom - height, width, height
        raise LookupError(f"there is no region {region} of an editor {area}")

    def find(self, button: str, area: str = "VIEW_3D", region: str = "UI") -> tuple[int, int]:
        """A place on the button whose operator call or property path has this text in it.

        Looked for where it was, then from the last button outwards: what appears does so near what was clicked.
        """
        if button in self._known and button in self._under(*self._known[button]):
            self._last = self._known[button]
            return self._last
        seen_at = [place for name, place in self._seen.items() if button in name]
        places = sorted(self._places(self.box(area, region)), key=lambda place: math.dist(place, self._last))
        for x, y in (*seen_at, *places):
            if button in self._under(x, y):
                # its middle: at the ends of a number are arrows
                across, down = (
                    sum(self._end(button, x, y, way * right, way * below) for way in (-1, 1)) // 2
                    for right, below in ((1, 0), (0, 1))
                )
                self._last = self._known[button] = x + across, y + down
                return self._last
        raise LookupError(f"no button {button} can be seen in {area} {region}")

    def _end(self, button: str, x: int, y: int, right: int, below: int) -> int:
        """How many pixels the button goes on from this place on it: negative to the left and upwards."""
        reach = next(i for i in range(0, 400, 6) if button not in self._under(x + i * right, y + i * below))
        return reach * (right + below)

    def _under(self, x: int, y: int) -> str:
        """The button at this place, after the mouse was moved there."""
        self.screen.move(x, y)
        time.sleep(NOTICE_SECONDS)
        name: str = self.ask("hovered()")
        if name:
            self._seen[name] = x, y
        return name

    # Doing

    def click(self, button: str, area: str = "VIEW_3D", region: str = "UI", *, until: str = "") -> None:
        """Click a button; with `until` again if this expression does not get true in Blender in some seconds.

        (On a busy machine an event gets lost now and then.)
        """

        def once() -> None:
            self.screen.click(*self.find(button, area, region))
            time.sleep(NOTICE_SECONDS)

        self._repeat(once, until)

    def write(
        self, field: str, text: str, area: str = "VIEW_3D", region: str = "UI", *, until: str = ""
    ) -> None:
        """Text or a number into a field, in place of what is there; `until` as in `click`."""

        def once() -> None:
            x, y = self.find(field, area, region)
            self.screen.click(x, y, times=2)
            self.screen.press("ctrl+a")
            self.screen.type(text)
            self.screen.press("Return")

        self._repeat(once, until)

    def press(self, *keys: str, area: str = "VIEW_3D", until: str = "") -> None:
        """Keys, the mouse in the middle of the editor; `until` as in `click`."""

        def once() -> None:
            left, top, width, height = self.box(area, "WINDOW")
            self.screen.move(left + width // 2, top + height // 2)
            time.sleep(NOTICE_SECONDS)
            self.screen.press(*keys)

        self._repeat(once, until)

    def search(self, name: str, picture: Path, until: str) -> None:
        """Run a command by its name, as F3 offers it; `until` as in `click`. The picture shows what is offered."""

        def once() -> None:
            self.press("F3")
            time.sleep(1.0)
            self.screen.type(name)
            time.sleep(1.0)
            self.screen.picture(picture)
            self.screen.press("Return")

        self._repeat(once, until)

    def click_down(self, area: str, region: str, until: str, across: float = 0.5) -> None:
        """Click from the top of the region downwards until the expression is true in Blender."""
        left, top, width, height = self.box(area, region)
        for y in range(top + 10, top + height, 12):
            if self.ask(until):
                return
            self.screen.click(left + round(across * width), y)
            time.sleep(0.2)
        raise LookupError(f"no click in {area} {region} made it so: {until}")

    def quit(self) -> None:
        """Ctrl-Q, with nothing that is not saved; Blender saves its preferences then."""
        self.press("ctrl+q")
        self.process.wait(60)

    def _places(self, box: tuple[int, int, int, int]) -> Iterator[tuple[int, int]]:
        """Places all over the box; of a header, along it."""
        left, top, width, height = box
        if height < 2 * HEADER:
            yield from ((x, top + height // 2) for x in range(left + STEP, left + width, 3 * STEP))
            return
        for part in (0.45, 0.84, 0.7, 0.25, 0.79):
            for y in range(top + 4, top + height - 2, STEP):
                yield left + round(part * width), y

    def _repeat(self, once: Callable[[], None], until: str) -> None:
        for _ in range(4):
            once()
            if not until:
                return
            with suppress(TimeoutError):
                return self.wait(until, 10.0)
        raise TimeoutError(f"nothing made it so: {until}")

    def _until(self, condition: Any, seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError(f"{otherwise}; it printed:\n{self.console.read_text(errors='replace')}")
            time.sleep(0.1)
