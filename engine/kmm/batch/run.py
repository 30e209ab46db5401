"""A batch from its first line to its last: jobs are read, what is done is passed over, results are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import msgspec

from kmm.batch import jobs
from kmm.batch.jobs import Failed, Take
from kmm.batch.maker import About, Made
from kmm.batch.manifest import Manifest

Result = tuple[Take, Made] | Failed


class Workers(Protocol):
    """What makes takes: `processes.Processes` or `cluster.Cluster`."""

    about: About

    def __enter__(self) -> Workers: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def run(self, takes: Iterable[Take | Failed]) -> Iterator[Result]:
        """A result for every take, in whatever order they are done."""


@dataclass
class Tally:
    """How far a batch is."""

    made: int = 0
    skipped: int = 0  #: were done before
    failed: int = 0
    frames: int = 0  #: of the takes made
    seconds: float = 0.0  #: of motion in them


def run(lines: Iterable[bytes], manifest: Manifest, workers: Workers) -> Iterator[Tally]:
    """Makes what is not done yet; gives the same tally again after every result.

    Raises ValueError if the folder's motions were made by other weights, OSError if it cannot be written.
    """
    if manifest.weights - {workers.about.sha256}:
        raise ValueError(
            f"{manifest.folder} holds motions of other weights than {workers.about.weights}; give another folder, or "
            "those weights."
        )
    tally = Tally()
    for result in workers.run(_todo(lines, manifest, tally)):
        if isinstance(result, Failed):
            manifest.fail(result)
            tally.failed += 1
        else:
            take, made = result
            manifest.add(take, made, workers.about)
            tally.made += 1
            tally.frames += made.frames
            tally.seconds += made.frames / made.fps
        yield tally
    yield tally


def _todo(lines: Iterable[bytes], manifest: Manifest, tally: Tally) -> Iterator[Take | Failed]:
    for item in jobs.read(lines):
        if isinstance(item, Failed):
            yield item
            continue
        try:
            if manifest.has(item):
                tally.skipped += 1
                continue
        except ValueError as error:
            yield Failed(item.name, str(error))
            continue
        yield item


class _Samples(msgspec.Struct):
    samples: int = 1


def count(lines: Iterable[bytes]) -> int:
    """How many takes and failures `jobs.read` will give, more or less, at a glance."""
    total = 0
    for line in lines:
        if line.strip():
            try:
                total += max(1, msgspec.json.decode(line, type=_Samples).samples)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                total += 1
    return total
