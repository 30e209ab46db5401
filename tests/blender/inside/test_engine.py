"""The engine at hand: restarted, idle, with other weights; one process at a time, whatever is clicked."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import pytest

from .helpers import start_engine, step_until
from .install import PACKAGE

engine_module, installed_weights = (
    importlib.import_module(f"{PACKAGE}.{name}") for name in ("engine", "installed_weights")
)


@pytest.fixture
def preferences() -> object:
    found = bpy.context.preferences.addons[PACKAGE].preferences
    before = found.python, found.weights, found.idle_minutes
    yield found
    found.python, found.weights, found.idle_minutes = before


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_never_two_at_a_time(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Restarted, stopped and started at once: the next process begins when the one before is gone."""
    start_engine(stream)
    first = stream.engine.pid
    assert bpy.ops.kmm.restart_engine() == {"FINISHED"}
    bpy.ops.kmm.start_engine()
    assert stream.engine.running and stream.engine.state is engine_module.State.STARTING
    step_until(stream, lambda: stream.engine.pid not in (None, first))
    assert not alive(first)
    step_until(stream, lambda: stream.engine.client is not None)
    assert stream.engine.memory > 50e6


def test_stopped_before_it_has_started(stream: ModuleType, scene: bpy.types.Scene) -> None:
    start_engine(stream)
    bpy.ops.kmm.restart_engine()
    bpy.ops.kmm.stop_engine()
    step_until(stream, lambda: not stream.engine.busy)
    assert not stream.engine.running and stream.engine.pid is None
    assert stream.engine.state is engine_module.State.OFF and stream.tick() is None


def test_ended_by_itself_it_is_off_and_comes_again(
    stream: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    """As after the idle time-out: that is no failure, and the next motion starts it again."""
    start_engine(stream)
    stream.engine.client.shutdown()
    step_until(stream, lambda: not stream.engine.running)
    assert stream.engine.state is engine_module.State.OFF and "starts again" in stream.engine.message
    assert bpy.ops.kmm.generate(prompt="a person walks", seconds=0.5, seed=1) == {"FINISHED"}


def test_the_idle_minutes_are_told_to_the_engine() -> None:
    line = engine_module.Command(Path("python"), "w", 30).line(Path("c.json"))
    assert line[line.index("--idle-timeout") + 1] == "1800"
    assert "--idle-timeout" not in engine_module.Command(Path("python")).line(Path("c.json"))


def test_weights_to_choose_from(tmp_path: Path) -> None:
    """Those in the installed package, and those of an editable checkout with a space in its path."""
    python = tmp_path / "venv/bin/python"
    packages = tmp_path / "venv/lib/python3.11/site-packages"
    checkout = tmp_path / "über all"
    for folder in (packages / "kmm/weights/one", checkout / "weights/two", checkout / "weights/broken"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"licence": "free"}' if folder.name != "broken" else "{")
    info = packages / "kmm-0.1.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text(json.dumps({"url": checkout.as_uri()}))
    python.parent.mkdir()
    python.touch()
    assert installed_weights.installed_weights(python) == [("one", "free"), ("two", "free")]


def test_other_weights_are_loaded_at_once(
    stream: ModuleType, scene: bpy.types.Scene, preferences: bpy.types.AddonPreferences
) -> None:
    """Those that come with the engine, by their name from the menu."""
    operators = sys.modules[f"{PACKAGE}.engine_operators"]
    names = [name for name, *_ in operators.weights_items(None, bpy.context)]
    if "kmm-open" not in names:
        pytest.skip("this engine came without weights")
    start_engine(stream)
    assert bpy.ops.kmm.use_weights(name="kmm-open") == {"FINISHED"}
    step_until(stream, lambda: stream.engine.client is not None, 120)
    assert preferences.weights == stream.engine.client.welcome.weights == "kmm-open"
    stream.engine.close()


def test_the_log_is_there(stream: ModuleType, scene: bpy.types.Scene) -> None:
    start_engine(stream)
    assert bpy.ops.kmm.show_log() == {"FINISHED"}
    lines = sys.modules[f"{PACKAGE}.engine_operators"].last_lines(stream.engine.log)
    assert any('"ready"' in line for line in lines)


def test_what_is_chosen_outlives_the_session(
    stream: ModuleType,
    scene: bpy.types.Scene,
    preferences: bpy.types.AddonPreferences,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Blender saves its preferences at its end only where somebody has said that they changed."""
    stream.engine.close()
    operators, install_operators, own = (
        sys.modules[f"{PACKAGE}.{name}"] for name in ("engine_operators", "install_operators", "preferences")
    )
    installed = SimpleNamespace(succeeded=True, python=Path(sys.executable), close=lambda: None)

    def install() -> None:
        monkeypatch.setattr(install_operators, "installation", installed)
        install_operators.take_up(bpy.context)

    name = operators.weights_items(None, bpy.context)[0][0]
    monkeypatch.setattr(own, "find_python", lambda chosen: Path("/some/python"))
    for change, want in (
        (lambda: bpy.ops.kmm.use_weights(name=name), {"weights": name}),
        (lambda: bpy.ops.kmm.find_engine(), {"python": str(Path("/some/python"))}),
        (install, {"python": sys.executable}),
    ):
        bpy.context.preferences.is_dirty = False
        change()
        assert {key: getattr(preferences, key) for key in want} == want
        assert bpy.context.preferences.is_dirty


def test_a_python_beside_the_file(
    preferences: bpy.types.AddonPreferences, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    """Blender's file browser gives paths relative to the file that is open."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    preferences.python, preferences.weights = "//env/bin/python", "//weights"
    own = sys.modules[f"{PACKAGE}.preferences"]
    python, weights, _ = own.get(bpy.context)
    assert Path(python) == tmp_path / "env/bin/python" and Path(weights) == tmp_path / "weights"
    preferences.python, preferences.weights = "", "kmm-open"
    assert own.get(bpy.context)[:2] == ("", "kmm-open")
