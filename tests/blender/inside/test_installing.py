"""`Install Engine...` with real environments, from small wheels beside each other without any network; and the real
engine (slow), with all that it needs from the package index.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from .helpers import frames_of, joint_positions, start_engine
from .install import PACKAGE

ROOT = Path(__file__).parents[3]
#: What pyenv keeps, and what is on the path.
OLD_PYTHONS = [
    *Path("~/.pyenv/versions").expanduser().glob("3.[89].*/bin/python"),
    *(Path(p) for n in ("3.8", "3.9", "3.10") if (p := shutil.which(f"python{n}"))),
]
installing, install_operators, find_python = (
    importlib.import_module(f"{PACKAGE}.{name}")
    for name in ("installing", "install_operators", "find_python")
)


def wheel(folder: Path, name: str, requires: str, files: dict[str, str]) -> Path:
    """A wheel in the folder."""
    info = f"{name}-0.1.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\nProvides-Extra: engine\n{requires}"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents = files | {f"{info}/METADATA": metadata, f"{info}/WHEEL": tag}
    record = "".join(f"{n},sha256={_digest(t.encode())},{len(t)}\n" for n, t in contents.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for n, text in (contents | {f"{info}/RECORD": record}).items():
            archive.writestr(n, text)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder, of a name that is not easy, with wheels of an engine that has all that is looked for."""
    folder = tmp_path / "Räder für die Maschine"
    files = {"kmm/__init__.py": "__version__ = '0.1'\n", "kmm/cli.py": ""}
    wheel(folder, "kmm", 'Requires-Dist: kmm-test-torch; extra == "engine"\n', files)
    # a name that pip finds nowhere else, whatever its settings on this machine are
    wheel(folder, "kmm_test_torch", "", {"torch/__init__.py": "__version__ = '9'\n"})
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "Umgebung mit Lücke"


def until(installation: object, condition: Callable[[], bool] | None = None) -> None:
    deadline = time.monotonic() + 120
    while not (installation.ended if condition is None else condition()):
        assert time.monotonic() < deadline, installation.log.read_text()
        installation.poll()
        time.sleep(0.02)


def test_installed_from_a_folder_the_engine_is_found(wheels: Path, target: Path, scene: object) -> None:
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    before = preferences.python
    try:
        done = bpy.ops.kmm.install_engine(source=str(wheels), target=str(target))
        assert done == {"FINISHED"}
        python = Path(preferences.python)
        assert python.is_relative_to(target) and find_python.has_engine(python)
        assert install_operators.installation is None
    finally:
        preferences.python = before


def test_what_failed_goes_on_where_it_was(
    wheels: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel is missing, and it says so, and that nobody answers if it may go online, where pip alone would say that
    there is no such package. Then it is there, and the environment is not made anew.
    """
    torch = wheels / "kmm_test_torch-0.1-py3-none-any.whl"
    aside = torch.rename(tmp_path / torch.name)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    for online, words in (
        (False, ("kmm-test-torch", "allow online access")),
        (True, ("computer is online",)),
    ):
        installation = installing.Installation(str(wheels), online, tmp_path / "log", target)
        until(installation)
        assert not installation.succeeded and "\n" not in installation.message
        assert all(w in installation.message for w in (*words, "Try again")), installation.message
    made = (target / "pyvenv.cfg").stat().st_mtime_ns
    aside.rename(torch)
    last = installing.Installation(str(wheels), False, tmp_path / "log", target)
    until(last)
    assert last.succeeded, last.message
    assert (target / "pyvenv.cfg").stat().st_mtime_ns == made
    assert find_python.has_engine(last.python)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_cancelled_it_ends_with_all_that_it_started(wheels: Path, target: Path, tmp_path: Path) -> None:
    installation = installing.Installation(str(wheels), False, tmp_path / "log", target)
    until(installation, lambda: len(_group(installation._process.pid)) > 1)  # venv has started ensurepip
    group = installation._process.pid
    installation.cancel()
    until(installation)
    assert "cancelled" in installation.message and not _group(group)
    (packages,) = target.glob("lib/python3*/site-packages")
    (packages / "pip").mkdir(exist_ok=True)  # as where it was being copied
    again = installing.Installation(str(wheels), False, tmp_path / "log", target)
    until(again)
    assert again.succeeded, again.message


def _group(leader: int) -> list[int]:
    """The processes of this process group that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="environments there have copies in place of links")
def test_an_environment_whose_python_is_gone_is_mended(wheels: Path, target: Path, tmp_path: Path) -> None:
    """As after Blender was updated to another folder."""
    first = installing.Installation(str(wheels), False, tmp_path / "1.log", target)
    until(first)
    for link in (target / "bin").glob("python*"):
        if Path(os.readlink(link)).is_absolute():
            link.unlink()
            link.symlink_to(tmp_path / "gone" / link.name)
    assert not find_python.has_engine(first.python)
    second = installing.Installation(str(wheels), False, tmp_path / "2.log", target)
    until(second)
    assert second.succeeded, second.message
    assert find_python.has_engine(second.python)


@pytest.mark.skipif(not OLD_PYTHONS, reason="no Python before 3.11 here")
def test_a_python_that_is_too_old_says_so_and_leaves_nothing(
    wheels: Path, target: Path, tmp_path: Path
) -> None:
    installation = installing.Installation(str(wheels), False, tmp_path / "log", target, str(OLD_PYTHONS[0]))
    until(installation)
    assert not installation.succeeded and "Python 3.11 or later is needed" in installation.message
    assert not list(target.iterdir()), "it would have to be deleted by hand"


def test_folders_that_do_not_do_get_one_sentence(wheels: Path, tmp_path: Path) -> None:
    file, full, old = tmp_path / "file", tmp_path / "full", tmp_path / "old"
    file.write_text("")
    full.mkdir()
    (full / "thesis.txt").write_text("")
    old.mkdir()
    (old / "pyvenv.cfg").write_text("home = /usr\nversion = 3.9.2\n")
    for target, words in (
        (file / "below", "can be written"),
        (full, "other things"),
        (old, "of Python 3.9"),
    ):
        with pytest.raises(installing.CannotInstall, match=words) as error:
            installing.Installation(str(wheels), False, tmp_path / "log", target)
        assert "\n" not in str(error.value)
    assert [p.name for p in full.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "Choose a wheel"),
        ("/nowhere/at/all", "neither a wheel nor a folder"),
        ("kmm", "neither a wheel nor a folder"),  # on the package index the name is not ours
        ("kmm; rm -rf /", "neither a wheel nor a folder"),
        ("EMPTY", "neither a wheel of kmm nor the project"),
    ],
)
def test_bad_sources_get_one_sentence(source: str, words: str, target: Path, tmp_path: Path) -> None:
    if source == "EMPTY":
        source = str(tmp_path)
    with pytest.raises(installing.CannotInstall, match=words) as error:
        installing.Installation(source, False, tmp_path / "log", target)
    assert "\n" not in str(error.value) and not target.exists()


def test_the_operator_says_what_is_wrong(scene: object) -> None:
    with pytest.raises(RuntimeError, match="There is no program"):
        bpy.ops.kmm.install_engine(source=".", python="/nowhere/python", target="/nowhere")


@pytest.mark.slow
@pytest.mark.timeout(1100)
def test_the_real_engine_is_installed_online_and_generates(
    target: Path, tmp_path: Path, scene: bpy.types.Scene
) -> None:
    wheels = tmp_path / "Räder für Zoë"
    made = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(wheels), str(ROOT)]
    built = subprocess.run(made, capture_output=True, text=True, timeout=600)
    if built.returncode:
        pytest.skip(f"no package index here: {built.stderr.strip().splitlines()[-1]}")
    (wheel_,) = wheels.glob("kmm-*.whl")
    stream = sys.modules[f"{PACKAGE}.stream"]
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    before = preferences.python, preferences.weights
    stream.engine.close()
    try:
        bpy.context.preferences.system.use_online_access = True
        assert bpy.ops.kmm.install_engine(source=str(wheel_), target=str(target)) == {"FINISHED"}
        assert Path(preferences.python).is_relative_to(target)
        preferences.weights = ""  # what the wheel brings
        start_engine(stream)
        assert bpy.ops.kmm.generate(prompt="a person walks forward", seconds=2.0, seed=1) == {"FINISHED"}
        assert frames_of(scene.kmm.character) == list(range(1, 61))
        first, last = joint_positions(scene, scene.kmm.character, (1, 60))
        assert first[0, 1] - last[0, 1] > 0.5, "a person walks towards Blender's front"
    finally:
        stream.engine.close()
        bpy.context.preferences.system.use_online_access = False
        preferences.python, preferences.weights = before
