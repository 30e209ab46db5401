"""How many motions a machine makes: against processes, against the batch size, and what an hour of motion costs.

    python benchmarks/throughput.py [--jobs 40] [--seconds 5] [--processes 1 2] [--batch-sizes 1 2 4 8 16]
                                    [--flat 200 2000] [--price 0.05] [--out docs/pictures/throughput.png]

Every row is a fresh `kmm batch` without its files. Time on the clock is only worth something on a quiet machine; the
processors' own seconds (all processes together) hardly depend on who else is there. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from kmm.batch import jobs, run
from kmm.batch.jobs import Failed
from kmm.batch.manifest import Manifest
from kmm.batch.processes import Processes

PROMPTS = (
    "a person walks forward", "a person walks and turns left", "a person runs forward",
    "a person stands still and waves", "a person walks backwards",
)  # fmt: skip
MIB = 2**20
SHORT = 0.5  # seconds of motion, where it is the number of jobs that matters


@dataclass
class Row:
    """What one run took."""

    clips: int
    motion: float  # seconds
    clock: float
    processor: float  # seconds of all processes
    memory: float  # MiB, the most at any time, of all processes that make motions
    writer: float  # MiB, of the process that writes the files
    writing: float  # processor seconds of that process
    stored: int  # bytes of the files


def lines(count: int, seconds: float) -> Iterator[bytes]:
    for n in range(count):
        yield json.dumps({"prompts": [f"{PROMPTS[n % len(PROMPTS)]}@{seconds}"], "seed": n}).encode()


def usage(pids: list[int]) -> tuple[float, float]:
    """Processor seconds and resident MiB of processes."""
    processes = [psutil.Process(pid) for pid in pids]
    return (
        sum(sum(process.cpu_times()[:2]) for process in processes),
        sum(process.memory_info().rss for process in processes) / MIB,
    )


def measure(pool: Processes, count: int, seconds: float, folder: Path | None = None) -> Row:
    """Makes `count` motions, into a folder if there is one."""
    own = psutil.Process()
    processor, _ = usage(pool.pids)
    start, frames, clips, memory, writer = time.perf_counter(), 0, 0, 0.0, 0.0
    writing = time.process_time()
    if folder is None:
        for result in pool.run(jobs.read(lines(count, seconds))):
            if isinstance(result, Failed):
                raise SystemExit(result.sentence)
            clips, frames = clips + 1, frames + result[1].frames
            memory = max(memory, usage(pool.pids)[1])
    else:
        with Manifest(folder) as manifest:
            for tally in run.run(lines(count, seconds), manifest, pool):
                clips, frames = tally.made, tally.frames
                memory, writer = max(memory, usage(pool.pids)[1]), max(writer, own.memory_info().rss / MIB)
    clock = time.perf_counter() - start
    writing = time.process_time() - writing
    stored = sum(file.stat().st_size for file in folder.iterdir()) if folder else 0
    return Row(clips, frames / 30, clock, usage(pool.pids)[0] - processor, memory, writer, writing, stored)


def warm(pool: Processes) -> None:
    for _ in pool.run(jobs.read(lines(2 * pool.count * pool.about.batch_size, 1))):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure throughput.")
    parser.add_argument("--jobs", type=int, default=40, help="motions a row")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a motion")
    parser.add_argument("--processes", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument(
        "--flat", type=int, nargs="*", default=[200, 2000], help="jobs, for the peak of memory"
    )
    parser.add_argument("--price", type=float, default=0.05, help="of a processor (or GPU) for an hour")
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="picture of the curve to write")
    options = parser.parse_args()

    curves: dict[int, list[tuple[int, Row]]] = {}
    print(
        f"{options.weights}, {os.cpu_count()} processors, {platform.system()}, {options.seconds:g} s a motion\n"
    )
    print(
        "| device | processes | batch size | clips a second | motion s a second | processor s an hour of motion "
        f"| cost of an hour at {options.price:g} | memory, MiB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for processes in options.processes:
        for size in options.batch_sizes:
            with Processes(options.weights, options.device, processes, size) as pool:
                warm(pool)
                row = measure(pool, options.jobs, options.seconds)
                curves.setdefault(processes, []).append((size, row))
                on_cpu = pool.about.device == "cpu"
                spent = row.processor if on_cpu else row.clock * processes
                cost = spent / row.motion * options.price
                print(
                    f"| {pool.about.device} | {processes} | {size} | {row.clips / row.clock:.2f} "
                    f"| {row.motion / row.clock:.1f} | {3600 * row.processor / row.motion:.0f} | {cost:.4f} "
                    f"| {row.memory:.0f} |",
                    flush=True,
                )

    if options.flat:
        print(
            f"\n| jobs of {SHORT:g} s | memory of a process that makes them, MiB | of the one that writes, MiB "
            "| processor ms to write a file | KB a second of motion |"
        )
        print("|---|---|---|---|---|")
    for count in options.flat:
        with (
            tempfile.TemporaryDirectory() as folder,
            Processes(options.weights, options.device, 1) as pool,
        ):
            row = measure(pool, count, SHORT, Path(folder))
            print(
                f"| {row.clips} | {row.memory:.0f} | {row.writer:.0f} | {1000 * row.writing / row.clips:.2f} "
                f"| {row.stored / row.motion / 1000:.0f} |",
                flush=True,
            )

    if options.out:
        picture(curves, options.out)


def picture(curves: dict[int, list[tuple[int, Row]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (rate, cost) = pyplot.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for processes, points in curves.items():
        sizes = [size for size, _ in points]
        label = "1 process" if processes == 1 else f"{processes} processes"
        rate.plot(sizes, [row.motion / row.clock for _, row in points], "o-", label=label)
        cost.plot(sizes, [3600 * row.processor / row.motion for _, row in points], "o-", label=label)
    rate.set(xlabel="batch size", ylabel="seconds of motion a second", xscale="log", ylim=(0, None))
    cost.set(xlabel="batch size", ylabel="processor seconds an hour of motion", xscale="log", ylim=(0, None))
    for axes in (rate, cost):
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    rate.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
