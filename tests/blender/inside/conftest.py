"""pytest inside a Blender: the extension is installed before any test is read, so that tests can import it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType

import bpy
import pytest

from .install import PACKAGE, install

status = 1  #: of the session, once it has ended


def pytest_configure() -> None:
    install()


def pytest_sessionfinish(exitstatus: int) -> None:
    global status
    status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    # Blender 4.2 as a module crashes at its end at times, when Rigify was enabled, with all work done
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@pytest.fixture(scope="session")
def stream() -> Iterator[ModuleType]:
    """The extension's module `stream`, with the engine running."""
    from .helpers import start_engine  # it needs kmm, which comes with the extension

    module = sys.modules[f"{PACKAGE}.stream"]
    start_engine(module)
    yield module
    module.engine.close()


@pytest.fixture
def scene() -> bpy.types.Scene:
    """The scene of a new file: Blender's own default one at 30 frames per second."""
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    weights = preferences.weights
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=False)
    assert bpy.context.preferences.addons[PACKAGE].preferences.weights == weights
    bpy.context.scene.render.fps = 30
    return bpy.context.scene
