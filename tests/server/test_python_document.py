"""The examples of docs/python.md do what the document says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from .engines import EngineProcess

DOCUMENT = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
#: A program, and right after it what it prints.
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def test_every_example(engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "connection.json").write_text(engine.connection_file.read_text())
    monkeypatch.chdir(tmp_path)
    examples = EXAMPLE.findall(DOCUMENT)
    assert len(examples) == DOCUMENT.count("```python")
    names: dict[str, Any] = {"__name__": "example"}
    for program, printed in examples:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(program, "docs/python.md", "exec"), names)
        assert out.getvalue() == printed, program
    assert (tmp_path / "walk.bvh").is_file()
    assert len(names["takes_of"](names["pipeline"], "a person walks@1", 2)) == 2
