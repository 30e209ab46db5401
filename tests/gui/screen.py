"""A virtual screen with a mouse and a keyboard: Xvfb, driven by xdotool, seen by Pillow."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from PIL import Image, ImageGrab

PROGRAMS = ("Xvfb", "xdotool")
SETTLE_SECONDS = 0.05  #: after an event, so that no two of them are taken for one


def missing() -> str:
    """What keeps a screen from being made here, as one line; empty if nothing does."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"no virtual screen: {' and '.join(absent)} not found (Debian: xvfb, xdotool)" if absent else ""


class Screen:
    """One that nobody else uses. A context manager; coordinates are pixels from the top left."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self.width, self.height = width, height

    def __enter__(self) -> Screen:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{self.width}x{self.height}x24"]
        command += ["-nolisten", "tcp", "-dpi", "96", "+extension", "GLX"]
        self._server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        self.display = f":{number}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(10)

    def move(self, x: int, y: int) -> None:
        """Two movements: a program that asks how far the mouse came sees one, wherever it was."""
        self._do("mousemove", str(x - 1), str(y), "mousemove", str(x), str(y))

    def click(self, x: int, y: int, button: int = 1, times: int = 1) -> None:
        self.move(x, y)
        time.sleep(SETTLE_SECONDS)
        if times > 1:
            self._do("click", "--repeat", str(times), "--delay", "60", str(button))
        else:  # held for a moment: a panel's header does not take notice of less
            self._do("mousedown", str(button), "sleep", "0.15", "mouseup", str(button))

    def press(self, *keys: str) -> None:
        """Keys by their X names, with modifiers: "ctrl+s", "Return"."""
        for key in keys:
            self._do("key", "--clearmodifiers", key)
            time.sleep(SETTLE_SECONDS)

    def type(self, text: str) -> None:
        self._do("type", "--delay", "20", text)

    def picture(self, path: Path | None = None) -> Image.Image:
        """What is on the screen, and written to the file if one is given."""
        image = ImageGrab.grab(xdisplay=self.display).convert("RGB")
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path, optimize=True)
        return image

    def _do(self, *arguments: str) -> None:
        environment = os.environ | {"DISPLAY": self.display}
        subprocess.run(["xdotool", *arguments], env=environment, check=True, timeout=30)
