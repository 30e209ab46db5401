"""`import kmm` gives everything, and what talks to an engine needs neither torch nor the engine's packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kmm
import pytest

from .test_imports import ALONE

LIGHT = [name for name in kmm.__all__ if name != "Pipeline"]


def alone(program: str) -> subprocess.CompletedProcess[str]:
    """A program after `ALONE`, which lets nothing be imported but the light half's needs."""
    source = Path(kmm.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", f"{ALONE}\n{program}", "kmm"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=source,
    )


def test_all_but_the_pipeline_is_light() -> None:
    done = alone("import kmm\n" + "".join(f"kmm.{name}\n" for name in LIGHT))
    assert done.returncode == 0, done.stderr


def test_the_pipeline_says_what_it_needs() -> None:
    done = alone("import kmm\nkmm.Pipeline")
    assert done.returncode != 0
    assert "torch is not for the light half" in done.stderr
    assert done.stderr.endswith(
        "kmm.Pipeline needs torch; install the engine's packages with: pip install 'kmm[engine]'\n"
    )


def test_importing_kmm_imports_nothing_else() -> None:
    done = alone(
        "import sys\nprint([m for m in sys.modules if m.startswith('kmm.') or m in ('numpy', 'zmq')])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_names() -> None:
    assert all(hasattr(kmm, name) for name in kmm.__all__)
    assert set(kmm.__all__) <= set(dir(kmm))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        kmm.Nothing  # noqa: B018
