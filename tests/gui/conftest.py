"""Where a window can be had, and what is tried in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import screen, window

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def addon_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension for this machine, as build_addon.py makes it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "build_addon.py"), "--out", str(out), "--platform", "linux-x64"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (path,) = out.glob("*.zip")
    return path


@pytest.fixture(scope="module")
def display() -> Iterator[screen.Screen]:
    reason = screen.missing() or window.missing()
    if reason:
        pytest.skip(reason)
    with screen.Screen() as made:
        yield made


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the screenshots of each step go: $KMM_GUI_PICTURES to look at them afterwards."""
    chosen = os.environ.get("KMM_GUI_PICTURES")
    return Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
