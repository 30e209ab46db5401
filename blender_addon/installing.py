"""Installing the engine into an environment of its own, step by step, without ever waiting.

Three programs one after the other: Python's `venv` makes the environment, its pip installs the engine with all that
it needs, and the engine's Python tries to import it. What they write goes into a log. Whatever ends it, what is there
is kept, and the next installation goes on from it: an environment that works is not made again, and pip takes what it
has installed or downloaded before.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from bpy.app.translations import pgettext_rpt as _

from .processes import NO_CONSOLE, interrupt_tree, kill_tree, python_environment

#: Short, for torch has paths that are so long that Windows has no room for a long one before them.
TARGET = Path("~/.kmm")
END_SECONDS = 5.0  #: a program that was told to end and has not by then is killed
OLDEST = (3, 11)  #: Python that the engine runs in
#: Makes the environment; run by the Python it is to be of, which says so itself if it is too old. In one line without
#: quotes and percent signs that a batch file in Python's place (pyenv on Windows has one) would take for its own.
MAKE = (
    f"import sys; sys.version_info < {OLDEST} and sys.exit("
    "'ERROR: Python {}.{} or later is needed, and this is {}.{}'.format("
    f"*{OLDEST} + sys.version_info[:2])); import venv; venv.main(sys.argv[1:])"
)
CHECK = "import kmm.cli, torch; print('kmm', kmm.__version__, 'and torch', torch.__version__)"
STEPS = ("Making the environment", "Downloading and installing", "Trying the engine")
#: How pip and what it uses say that there was no answer from elsewhere.
UNREACHED = re.compile(
    "connection broken by|Max retries exceeded|timed out|IncompleteRead|ProtocolError|ConnectionResetError"
)
ABSENT = (
    "No matching distribution found for "  #: what pip says last, whether it has asked in vain or not at all
)
FAILED = "The engine is not installed: {}. Try again to go on from here"


class CannotInstall(Exception):
    """What the user has to change first; one sentence."""


class Installation:
    """One run. `poll` goes to the next step; `message` says where it is or how it ended, `detail` what pip does."""

    def __init__(self, source: str, online: bool, log: Path, target: Path = TARGET, python: str = "") -> None:
        """Begins. source: a wheel, or a folder (a checkout, or wheels). online: what it needs may be downloaded.

        Raises CannotInstall.
        """
        self.target, self.log = target.expanduser(), log
        self._online = online
        self.ended = False
        self.succeeded = False
        self.message, self.detail = STEPS[0], ""
        self._base = base_python(python)
        self._install = ["-m", "pip", "install", "--progress-bar", "off", *pip_arguments(source, online)]
        self._process: subprocess.Popen[bytes] | None = None
        self._step = -1
        self._cancelled: float | None = None  # since when
        prepare(self.target)
        self._log = log.open("wb")
        try:
            self._next()
        except OSError as error:
            self._log.close()
            raise CannotInstall(_("The installation cannot be started: {}").format(error)) from error

    @property
    def python(self) -> Path:
        """The Python of the environment."""
        return python_of(self.target)

    @property
    def progress(self) -> float:
        """Share of the steps that are done."""
        return max(0, self._step) / len(STEPS)

    def poll(self) -> None:
        """Take notice of a step that has ended, and begin the next one."""
        if self.ended or self._process is None:
            return
        code = self._process.poll()
        if self._cancelled is not None:
            if code is not None:
                self._end(_("Installing was cancelled; try again to go on from here"))
            elif time.monotonic() > self._cancelled + END_SECONDS:
                kill_tree(self._process)
        elif code is None:
            self.message, self.detail = _(STEPS[self._step]), self._last_line()
        elif code:
            self._end(_(FAILED).format(self._reason()))
        elif self._step == len(STEPS) - 1:
            self.succeeded = True
            self._end(_("The engine is installed in {}: {}").format(self.target, self._last_line()))
        else:
            try:
                self._next()
            except OSError as error:
                self._end(_(FAILED).format(error))

    def cancel(self) -> None:
        """Ask it to end; what is there stays. `poll` sees to it."""
        if not self.ended and self._cancelled is None:
            assert self._process is not None
            self._cancelled, self.message = time.monotonic(), _("Cancelling")
            interrupt_tree(self._process)

    def close(self) -> None:
        """End it at once: for the end of Blender or of the add-on."""
        if not self.ended:
            assert self._process is not None
            kill_tree(self._process)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            self._end(_("Installing was cancelled; try again to go on from here"))

    def _next(self) -> None:
        self._step += 1
        if self._step == 0 and works(self.python):
            self._step += 1
        python = self._base if self._step == 0 else self.python
        arguments = (["-c", MAKE, os.fspath(self.target)], self._install, ["-c", CHECK])[self._step]
        self._process = subprocess.Popen(
            [os.fspath(python), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=pip_environment(os.environ),
            # a group of its own, so that what it starts can be ended with it
            start_new_session=os.name == "posix",
            creationflags=NO_CONSOLE,
        )
        self.message = STEPS[self._step]

    def _end(self, message: str) -> None:
        self.ended, self.message, self.detail = True, message, ""
        self._log.close()

    def _lines(self) -> list[str]:
        with suppress(OSError):
            text = self.log.read_bytes()[-8000:].decode("utf-8", "replace")
            return [line.strip() for line in text.splitlines() if line.strip()]
        return []

    def _last_line(self) -> str:
        return (self._lines() or [""])[-1][:200]

    def _reason(self) -> str:
        """pip marks what was wrong; other programs, and pip where it did not expect it, say it last."""
        lines = self._lines()
        marked = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        if not marked or marked[-1] == "Exception:":
            marked = lines or [_("it ended without a word")]
        reason = marked[-1].rstrip(".")
        absent = reason.startswith(ABSENT)
        if absent and not self._online:
            return _(
                "{} is not among the wheels in the folder; put it there, or allow online access in Blender's "
                "preferences (System)"
            ).format(reason.removeprefix(ABSENT))
        if UNREACHED.search(reason) or (absent and any(map(UNREACHED.search, lines))):
            return _(
                "there was no answer from where packages are downloaded; see whether this computer is online"
            )
        return reason[:300]


def prepare(target: Path) -> None:
    """See to it that the environment can be made, or gone on with, in this folder.

    Raises CannotInstall.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target):
            pass
        config = target / "pyvenv.cfg"
        settings = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
        others = not settings and any(target.iterdir())
    except OSError as error:
        raise CannotInstall(_("Nothing can be written into {}: {}").format(target, error.strerror)) from error
    if others:
        raise CannotInstall(
            _("There are other things in {}; choose a folder that is new or empty").format(target)
        )
    for link in (target / "bin").glob("python*"):  # venv would leave those that lead to a Python that is gone
        if link.is_symlink() and not link.exists():
            link.unlink()
    version = re.search(r"^version(?:_info)? = (\d+)\.(\d+)", settings, re.MULTILINE)
    if version and tuple(map(int, version.groups())) < OLDEST:
        raise CannotInstall(
            _(
                "The environment in {} is of Python {}.{}, which is too old; delete it, or choose another folder"
            ).format(target, *version.groups())
        )


def pip_arguments(source: str, online: bool) -> list[str]:
    """What to tell pip for a source: the engine with its extras, and where the rest may come from.

    Raises CannotInstall.
    """
    source = source.strip()
    path = Path(source).expanduser()
    if not source:
        raise CannotInstall(_("Choose a wheel of kmm, or a folder with it, to install the engine from"))
    if path.is_file() and path.suffix == ".whl":
        wheel, folder = path, path.parent
    elif path.is_dir():
        wheels = sorted(path.glob("kmm-*.whl"))
        wheel, folder = (wheels[-1], path) if wheels else (path, path)
        if not wheels and not (path / "pyproject.toml").is_file():
            raise CannotInstall(_("In {} is neither a wheel of kmm nor the project itself").format(path))
    else:
        raise CannotInstall(_("{} is neither a wheel nor a folder that is there").format(source))
    # an address has no trouble with spaces and letters beyond ASCII, brackets after a path might
    wanted = f"kmm[engine] @ {wheel.resolve().as_uri()}"
    return [wanted, "--find-links", os.fspath(folder.resolve()), *([] if online else ["--no-index"])]


def pip_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: nobody asked, nothing installed anywhere else."""
    kept = {k: v for k, v in python_environment(outer).items() if k not in ("PIP_USER", "PIP_TARGET")}
    return kept | {"PYTHONNOUSERSITE": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def base_python(chosen: str) -> Path:
    """The Python to make the environment with: the chosen one, or Blender's own if it can, or one that is about.

    Raises CannotInstall.
    """
    if chosen:
        path = Path(chosen).expanduser()
        if not path.is_file():
            raise CannotInstall(_("There is no program {}").format(path))
        return path
    found = next((p for p in _pythons() if can_make_environments(p)), None)
    if found is None:
        raise CannotInstall(
            _("No Python 3.11 or later with venv was found; install one, or choose it at Python")
        )
    return found


def can_make_environments(python: Path) -> bool:
    """Whether this interpreter has `venv` and `ensurepip`, which some systems leave out. Only looks at files."""
    real = python.resolve()
    version = re.search(r"3\.\d+", real.name)
    root = real.parent.parent
    libraries = [
        *root.glob(f"lib/python{version[0] if version else '3.*'}"),
        root / "Lib",
        real.parent / "Lib",
    ]
    return any((lib / "ensurepip").is_dir() and (lib / "venv").is_dir() for lib in libraries)


def works(python: Path) -> bool:
    """Whether the environment of this interpreter was made to its end: pip comes last, and its INSTALLER after it."""
    libraries = [
        *python.parent.parent.glob("lib/python3*/site-packages"),
        python.parent.parent / "Lib/site-packages",
    ]
    whole = [found for packages in libraries for found in packages.glob("pip-*.dist-info/INSTALLER")]
    return python.is_file() and bool(whole)


def _pythons() -> Iterator[Path]:
    yield Path(sys.executable)  # Blender's own
    places = [os.environ.get("PATH", ""), "/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"]
    for version in ("3.13", "3.12", "3.11"):
        found = shutil.which(f"python{version}", path=os.pathsep.join(places))
        if found:
            yield Path(found)
