"""The commands that docs/batch.md and docs/formats.md show do what is said there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
DOCS = Path(__file__).parents[1] / "docs"


def indented(document: str) -> list[str]:
    """Lines of a document's blocks that are indented."""
    text = (DOCS / document).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


def commands(document: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in indented(document) if line.startswith("kmm ")]


def kmm(*arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kmm.cli", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"


def test_files(tmp_path: Path) -> None:
    for name in ("pxr", "imageio_ffmpeg", "bpy"):
        pytest.importorskip(name, reason=f"docs/formats.md shows what needs {name}")
    kmm("generate", "a person walks forward@3", "--seed", "1", "--out", "walk.npz", folder=tmp_path)
    with_a_body = 0
    for arguments in commands("formats.md"):
        if "--body" in arguments:  # a file that we must not give out; tests/formats makes one like it
            with_a_body += 1
            continue
        if "somebody.bvh" in arguments:
            shutil.copy(tmp_path / "walk.bvh", tmp_path / "somebody.bvh")
        kmm(*arguments, folder=tmp_path)
        outputs = [a for a in arguments if a.startswith("walk.") and a != "walk.npz"]
        assert outputs and (tmp_path / outputs[-1]).stat().st_size > 1000, arguments
    assert with_a_body == 1
    programs = re.findall(r"```python\n(.*?)```", (DOCS / "formats.md").read_text("utf-8"), re.DOTALL)
    assert len(programs) == 1
    subprocess.run([sys.executable, "-c", programs[0]], cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "walk.usda").is_file()


def test_jobs(tmp_path: Path) -> None:
    lines = [line for line in indented("batch.md") if line.startswith("{")]
    with_a_rig = [line for line in lines if "rig" in json.loads(line)]
    assert len(lines) == 5 and len(with_a_rig) == 1  # hero.blend is the reader's own; tests/batch has one
    kmm("generate", "a person walks forward@4", "--seed", "1", "--out", "walk.npz", folder=tmp_path)
    jobs = [line for line in lines if line not in with_a_rig]
    (tmp_path / "jobs.jsonl").write_text("".join(f"{line}\n" for line in jobs), encoding="utf-8")
    [command] = commands("batch.md")
    for _ in range(2):
        kmm(*command, folder=tmp_path)
        made = {path.name for path in (tmp_path / "out").iterdir()} - {".lock"}
        jumps = {f"jump-{take}.{suffix}" for take in range(8) for suffix in ("npz", "bvh")}
        assert made == {"000001.npz", "000003.glb", "000004.npz", "manifest.jsonl", *jumps}
