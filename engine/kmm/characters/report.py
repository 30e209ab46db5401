"""What became of each task: one line for people, one line in report.jsonl, by which a batch is resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

REPORT = "report.jsonl"


@dataclass(frozen=True)
class Outcome:
    """output: path under the batch's folder. key: see `Task`. seconds: it took. message: what is to be known."""

    output: str
    status: Literal["written", "kept", "failed"]
    clip: str
    rig: str
    key: str
    frames: int = 0
    seconds: float = 0.0
    message: str = ""

    def __str__(self) -> str:
        told = {
            "written": f"{self.frames} frames in {self.seconds:.1f} s",
            "kept": "done before",
            "failed": "",
        }[self.status]
        return "  ".join(part for part in (f"{self.status:7}", self.output, told, self.message) if part)


def read(out: Path) -> dict[str, Outcome]:
    """The last line of each output; a line that was cut off when the batch was killed is passed over."""
    found: dict[str, Outcome] = {}
    if (out / REPORT).is_file():
        for line in (out / REPORT).read_text(encoding="utf-8").splitlines():
            try:
                outcome = Outcome(**json.loads(line))
            except (ValueError, TypeError):
                continue
            found[outcome.output] = outcome
    return found


def add(out: Path, outcome: Outcome) -> None:
    """Append a line, on a new one if the last was cut off."""
    with open(out / REPORT, "a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        torn = file.read() not in (b"", b"\n")
        file.write(b"\n" * torn + _line(outcome).encode())


def write(out: Path, outcomes: Iterable[Outcome]) -> None:
    """The whole report anew, one line for each output."""
    partial = out / f".partial-{REPORT}"
    partial.write_text("".join(map(_line, outcomes)), encoding="utf-8")
    os.replace(partial, out / REPORT)


def _line(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome), ensure_ascii=False) + "\n"
