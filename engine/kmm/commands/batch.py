"""`kmm batch`: thousands of motions from a file of jobs."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmm.commands.common import Device, Json, Weights, fail, one_sentence

if TYPE_CHECKING:
    from kmm.batch.run import Tally, Workers

_PLAIN_SECONDS = 30.0  # between two lines of progress where there is no terminal


def batch(
    jobs: Annotated[
        str, typer.Argument(help="File with a job on every line, as JSON; - reads them from a pipe.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the motions and their manifest.jsonl.")],
    weights: Weights = "kmm-open",
    device: Device = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one a core, on a GPU one.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Motions that a process makes together; by default 1, on a GPU more."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a Ray cluster: auto, local, or its address."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make thousands of motions. Run the same again after a break or a kill: what is done is not done again."""
    start = time.monotonic()
    with one_sentence(), ExitStack() as stack:
        from kmm.batch import run
        from kmm.batch.manifest import Manifest

        if jobs == "-":
            lines: Iterable[bytes] = sys.stdin.buffer
            total = None
        else:
            lines = stack.enter_context(open(jobs, "rb"))
            with open(jobs, "rb") as file:
                total = run.count(file)
        manifest = stack.enter_context(Manifest(out))
        pool = stack.enter_context(_workers(weights, device, workers, batch_size, ray))
        tallies = run.run(lines, manifest, pool)
        [tally] = deque(_shown(tallies, total), maxlen=1)
    seconds = time.monotonic() - start
    if as_json:
        told = {"made": tally.made, "skipped": tally.skipped, "failed": tally.failed, "frames": tally.frames}
        about = {
            "motion_seconds": round(tally.seconds, 3),
            "seconds": round(seconds, 3),
            "weights": pool.about.weights,
        }
        print(json.dumps(told | about))
    else:
        before = f", {tally.skipped} were done before" if tally.skipped else ""
        print(f"{tally.made} made ({tally.seconds:.0f} s of motion) in {seconds:.0f} s{before}.")
    if tally.failed:
        fail(
            f"{tally.failed} failed: {out / 'failed.jsonl'} says why. Run the same again to try them once more."
        )


def _workers(
    weights: str, device: str, count: int | None, batch_size: int | None, ray: str | None
) -> Workers:
    if ray is None:
        from kmm.batch.processes import Processes

        return Processes(weights, device, count, batch_size)
    from kmm.batch.cluster import Cluster

    return Cluster(ray, weights, device, count, batch_size)


def _shown(tallies: Iterator[Tally], total: int | None) -> Iterator[Tally]:
    """The tallies as they come, with a bar on a terminal, and a line now and then where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("takes", total=total, rate="")
        start = told = time.monotonic()
        for tally in tallies:
            now = time.monotonic()
            elapsed = max(now - start, 1e-9)
            done = tally.made + tally.failed
            left = None if total is None else max(0, total - tally.skipped - done)
            rate = f"{tally.made / elapsed:.1f}/s, {tally.seconds / elapsed:.0f} s of motion a second"
            if tally.failed:
                rate += f", {tally.failed} failed"
            bar.update(task, completed=done, total=None if left is None else done + left, rate=rate)
            if not console.is_terminal and now - told > _PLAIN_SECONDS:
                told = now
                time_left = "" if left is None or not done else f", {left * elapsed / done:.0f} s left"
                print(f"{done} done, {rate}{time_left}", file=sys.stderr, flush=True)
            yield tally
