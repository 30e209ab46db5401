"""`Install Engine...` with real environments, from small wheels beside each other, without any network."""

from __future__ import annotations

import base64
import hashlib
import importlib
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from .install import PACKAGE

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


def test_what_failed_goes_on_where_it_was(wheels: Path, target: Path, tmp_path: Path) -> None:
    """A wheel is missing, which is said in one line; then it is there, and the environment is not made anew."""
    torch = wheels / "kmm_test_torch-0.1-py3-none-any.whl"
    aside = torch.rename(tmp_path / torch.name)
    first = installing.Installation(str(wheels), False, tmp_path / "1.log", target)
    until(first)
    assert not first.succeeded and "kmm-test-torch" in first.message and "\n" not in first.message
    assert "Try again" in first.message
    made = (target / "pyvenv.cfg").stat().st_mtime_ns
    aside.rename(torch)
    second = installing.Installation(str(wheels), False, tmp_path / "2.log", target)
    until(second)
    assert second.succeeded, second.message
    assert (target / "pyvenv.cfg").stat().st_mtime_ns == made
    assert find_python.has_engine(second.python)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_cancelled_it_ends_with_all_that_it_started(wheels: Path, target: Path, tmp_path: Path) -> None:
    installation = installing.Installation(str(wheels), False, tmp_path / "log", target)
    until(installation, lambda: len(_group(installation._process.pid)) > 1)  # venv has started ensurepip
    group = installation._process.pid
    installation.cancel()
    until(installation)
    assert "cancelled" in installation.message and not _group(group)
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


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "Choose a wheel"),
        ("/nowhere/at/all", "neither a wheel nor a folder"),
        ("kmm", "online access"),
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


def test_a_name_needs_no_folder_when_online() -> None:
    assert installing.pip_arguments("kmm", True) == ["kmm[engine]"]
    assert installing.pip_arguments("kmm==1.2.0", True) == ["kmm[engine]==1.2.0"]


def test_the_operator_says_what_is_wrong(scene: object) -> None:
    with pytest.raises(RuntimeError, match="There is no program"):
        bpy.ops.kmm.install_engine(source="kmm", python="/nowhere/python", target="/nowhere")
