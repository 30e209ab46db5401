"""Jobs and what was made of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ..model.small import write_weights

PROMPTS = ("a person walks forward", "a person turns left", "a man jumps", "someone sits down")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a small model."""
    return str(write_weights(tmp_path_factory.mktemp("weights") / "small"))


@pytest.fixture
def write_jobs(tmp_path: Path) -> Callable[..., Path]:
    """Writes a jobs file: `count` short motions, all different, and more lines if given."""

    def write(count: int, *more: str, frames: int = 12) -> Path:
        path = tmp_path / "jobs.jsonl"
        lines = [
            json.dumps({"prompts": [f"{PROMPTS[n % len(PROMPTS)]}@{(frames + n % 5) / 30}"], "seed": n})
            for n in range(count)
        ]
        path.write_text("".join(f"{line}\n" for line in [*lines, *more]), encoding="utf-8")
        return path

    return write


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "kmm.cli", "batch", *map(str, arguments)]


def kmm_batch(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`kmm batch` to its end."""
    return subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=3000,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def listed(folder: Path) -> dict[str, dict[str, Any]]:
    """The manifest by file, checked: every line whole, no file twice, every file there and as it says."""
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    files = {line["file"]: line for line in lines}
    assert len(files) == len(lines), "a file is listed twice"
    for name, line in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == line["sha256"]
    return files


def contents(folder: Path) -> dict[str, str]:
    """File -> sha256 of what was made."""
    return {name: line["sha256"] for name, line in listed(folder).items()}


def strays(folder: Path, known: Iterable[str]) -> set[str]:
    """What is in the folder beside the files and the batch's own."""
    return {path.name for path in folder.iterdir()} - {*known, "manifest.jsonl", ".lock", "failed.jsonl"}
