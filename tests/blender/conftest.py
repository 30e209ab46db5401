"""Which Blenders to test in, and the extension to test, built once.

KMM_BLENDER_PYTHONS lists Pythons that can import bpy, separated like PATH; without it this Python is tried.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSIDE = "KMM_ADDON_ZIP"  # set where pytest runs inside a Blender

collect_ignore = [] if INSIDE in os.environ else ["inside"]


def blender_pythons() -> list[str]:
    listed = os.environ.get("KMM_BLENDER_PYTHONS")
    if listed:
        return listed.split(os.pathsep)
    return [sys.executable] if importlib.util.find_spec("bpy") else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "blender" not in metafunc.fixturenames:
        return
    reason = "no Blender: set KMM_BLENDER_PYTHONS to Pythons that can import bpy"
    pythons = blender_pythons() or [pytest.param("", marks=pytest.mark.skip(reason=reason))]
    metafunc.parametrize("blender", pythons, ids=lambda p: Path(p).parent.parent.name, scope="session")


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The extension for every platform."""
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    assert spec is not None and spec.loader is not None
    build_addon = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_addon)
    out = tmp_path_factory.mktemp("dist")
    return {platform: build_addon.build(platform, out) for platform in build_addon.PLATFORMS}


@pytest.fixture(scope="session")
def addon_zip(zips: dict[str, Path]) -> Path:
    """The extension for this machine."""
    if sys.platform == "darwin":
        return zips["macos-arm64" if os.uname().machine == "arm64" else "macos-x64"]
    return zips["windows-x64" if sys.platform == "win32" else "linux-x64"]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with random weights: what it says is noise, how it works is not."""
    pytest.importorskip("torch", reason="the engine needs torch: pip install -e '.[engine,test]'")
    spec = importlib.util.spec_from_file_location("small", ROOT / "tests/model/small.py")
    assert spec is not None and spec.loader is not None
    small = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(small)
    folder: Path = small.write_weights(tmp_path_factory.mktemp("weights") / "small")
    small.write_known(folder)
    return folder


@pytest.fixture(scope="session")
def clean_blender(
    blender: str, addon_zip: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment in which a Blender knows nothing of the user's, and finds our engine."""
    return os.environ | {
        "BLENDER_USER_RESOURCES": str(tmp_path_factory.mktemp("resources")),
        INSIDE: str(addon_zip),
        "KMM_PYTHON": sys.executable,
        "KMM_TEST_WEIGHTS": str(weights),
        "OMP_NUM_THREADS": "1",
    }


def run(
    command: list[str], environment: dict[str, str], seconds: float, passes: tuple[int, ...] = (0,)
) -> str:
    """Run in the repository; the output, which is shown if the exit code is none of `passes`."""
    done = subprocess.run(
        command, env=environment, cwd=ROOT, timeout=seconds,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode in passes, done.stdout
    return done.stdout
