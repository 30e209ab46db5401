"""A Blender that does a list of tasks, and what it says meanwhile."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import kmm
from kmm import blender as blenders
from kmm.blender import BlenderError
from kmm.characters.tasks import Settings, Task, job

__all__ = ["BlenderError", "run"]

SECONDS = 1800.0  #: a task about which nothing is heard for so long is given up
MARK = "KMM BATCH "  #: before the lines that are for us


def run(tasks: Sequence[Task], settings: Settings, blender: Path | None) -> Iterator[dict[str, Any]]:
    """Start a Blender on the tasks and give what it says; the last is {"died": words} if it did not come to its end.

    What is said is described in blender_addon/pipeline/batch.py. Raises BlenderError if there is no Blender.
    """
    command = blenders.command(blender)
    if command is None:
        raise BlenderError(
            "There is no Blender: put it on the PATH, give it with --blender, or pip install bpy"
        )
    addon = blenders.addon_folder()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        places = {"path": [str(Path(kmm.__file__).parents[1])], "addon": str(addon)}
        file.write_text(json.dumps(job(tasks, settings) | places), encoding="utf-8")
        script = str(addon / "pipeline" / "batch.py")
        # Settings of its own: a Blender without our extension would remove the extension's wheels from the user's.
        environment = os.environ | {"BLENDER_USER_RESOURCES": folder, "PYTHONIOENCODING": "utf-8"}
        process = subprocess.Popen(
            [*command, script, "--", str(file)], env=environment, text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield from _listen(process)
        finally:
            process.kill()
            process.wait()


def _listen(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    words: deque[str] = deque(maxlen=1)
    while True:
        try:
            line = lines.get(timeout=SECONDS)
        except queue.Empty:
            yield {"died": f"Blender did nothing for {SECONDS:g} seconds and was ended"}
            return
        if line is None:
            code = process.wait()
            yield {"died": f"Blender crashed (exit code {code}): {words[0] if words else 'it said nothing'}"}
            return
        if line.startswith(MARK):
            event: dict[str, Any] = json.loads(line.removeprefix(MARK))
            if "finished" in event:
                return
            yield event
        elif line.strip():
            words.append(line.strip())


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)
