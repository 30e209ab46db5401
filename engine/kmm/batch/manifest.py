"""The folder of a batch: its files and `manifest.jsonl`, a line for every file that is there, whole, and done.

A file is written beside its name and renamed, then its line is appended: after a kill at any moment there is no half
file under a real name, and at most a file without a line, which is made again and comes out the same.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from kmm.batch.jobs import Failed, Take
from kmm.batch.maker import About, Made
from kmm.formats.files import replacing

NAME = "manifest.jsonl"
FAILED = "failed.jsonl"


class Manifest:
    """An output folder that one process writes into; use it in a `with` block.

    Raises OSError if the folder cannot be written, ValueError if another batch is writing there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FileLock(
            folder / ".lock", blocking=False
        )  # the system lets go of it when a process dies
        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(
                f"Another batch is writing into {folder}; wait for it, or give another folder."
            ) from None
        self._digests: dict[str, str] = {}  # file -> digest of the take that it shows
        self.weights: set[str] = set()  #: sha256 of all weights that made a file
        self._mend()
        self._lines = open(folder / NAME, "ab", buffering=0)  # noqa: SIM115  # closed in __exit__
        self._failed = open(folder / FAILED, "wb", buffering=0)  # noqa: SIM115  # of this run alone

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._lines.close()
        empty = self._failed.tell() == 0
        self._failed.close()
        if empty:
            (self.folder / FAILED).unlink()
        self._lock.release()

    def has(self, take: Take) -> bool:
        """Whether all files of the take are done. Raises ValueError if one of them is another motion's."""
        for file in take.files:
            if self._digests.get(file, take.digest) != take.digest:
                raise ValueError(
                    f"{file} was made from another job; give this one an id of its own, or delete that file."
                )
        return all(file in self._digests for file in take.files)

    def add(self, take: Take, made: Made, about: About) -> None:
        """Writes the take's files and their lines. Raises OSError."""
        lines = []
        for file, content in zip(take.files, made.files, strict=True):
            if file in self._digests:
                continue
            with replacing(self.folder / file) as target:
                target.write(content)
            lines.append(
                {
                    "job": take.name,
                    "file": file,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "frames": made.frames,
                    "fps": made.fps,
                    "seed": take.seed,
                    "weights": about.weights,
                    "weights_sha256": about.sha256,
                    "device": about.device,
                    "batch_size": about.batch_size,
                    "seconds": round(made.seconds, 4),
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "digest": take.digest,
                }
            )
        self._lines.write(b"".join(_line(line) for line in lines))
        self._digests |= dict.fromkeys(take.files, take.digest)

    def fail(self, failed: Failed) -> None:
        """Notes a job that gave nothing in failed.jsonl; the next run tries it again."""
        self._failed.write(_line({"job": failed.name, "error": failed.sentence}))

    def _mend(self) -> None:
        """Reads the lines; drops half ones and those whose files are gone; deletes what a kill left half written."""
        for left in self.folder.glob(".*.tmp"):
            left.unlink(missing_ok=True)
        path = self.folder / NAME
        kept, broken = [], False
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                values = _parse(line)
                if values is None or not (self.folder / values["file"]).is_file():
                    broken = True
                    continue
                kept.append(line)
                self._digests[values["file"]] = values["digest"]
                self.weights.add(values["weights_sha256"])
        if broken:
            with replacing(path) as target:
                target.writelines(kept)


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _parse(line: bytes) -> dict[str, str] | None:
    """The values of a whole line; None for one that a kill or a full disk cut short."""
    try:
        values = json.loads(line)
        keys = ("file", "digest", "weights_sha256")
        return values if line.endswith(b"\n") and all(type(values[k]) is str for k in keys) else None
    except (ValueError, KeyError, TypeError):
        return None


def sha256(path: Path) -> str:
    """Of a file, as in the manifest."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
