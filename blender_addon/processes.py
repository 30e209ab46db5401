"""Other programs: the environment that they get, and how they are ended together with what they have started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

#: For subprocess: a Blender without a console would otherwise open one for the other program (Windows).
NO_CONSOLE = getattr(subprocess, "CREATE_NO_WINDOW", 0)


def python_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The environment for another Python: without what is meant for the one here, and with UTF-8 in all it writes."""
    kept = {k: v for k, v in outer.items() if k not in ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")}
    return kept | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def interrupt_tree(process: subprocess.Popen[bytes]) -> None:
    """Ask a program and what it started to end, as Ctrl-C does: pip then removes what it has half unpacked."""
    if os.name == "nt":  # only a program with the same console can be asked
        kill_tree(process)
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started."""
    if os.name == "nt":
        subprocess.Popen(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, creationflags=NO_CONSOLE,
        )  # fmt: skip
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
