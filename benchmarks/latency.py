"""How long people wait: engine start, first frame and last frame at the client, ping and cancel while it computes.

    python benchmarks/latency.py [--seconds 2 10 60 600] [--weights kmm-open] [--device auto]

Starts a real engine and asks it over its socket. Prints Markdown: medians, and in brackets the quartiles.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import time
from collections.abc import Callable, Sequence

import numpy as np
from kmm.client import Client
from kmm.launch import launch
from kmm.protocol import Error, Frames, PromptSegment

PROMPTS = (
    "a person walks forward", "a person walks and turns left", "a person runs forward",
    "a person stands still and waves", "a person walks backwards",
)  # fmt: skip
SEGMENT_SECONDS = 5.0
STARTS = 3
REPEATS = ((5, 20), (30, 10), (120, 5), (float("inf"), 2))  # up to so many seconds of motion: so many times


def segments(seconds: float, fps: float) -> list[PromptSegment]:
    """Prompts of five seconds each, one after the other."""
    count = max(1, round(seconds / SEGMENT_SECONDS))
    ends = [round((i + 1) * seconds / count * fps) for i in range(count)]
    lengths = [b - a for a, b in itertools.pairwise([0, *ends])]
    return [PromptSegment(p, n) for p, n in zip(itertools.cycle(PROMPTS), lengths, strict=False)]


def spread(values: Sequence[float], unit: float = 1.0, digits: int = 3) -> str:
    low, middle, high = np.percentile(np.array(values) * unit, [25, 50, 75])
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def one(client: Client, request: list[PromptSegment], seed: int) -> tuple[float, float]:
    """Seconds from asking to the first and to the last frame."""
    start, first = time.perf_counter(), 0.0
    for event in client.events(client.generate(request, seed), timeout=600):
        if isinstance(event, Error):
            raise SystemExit(f"{event.message} {event.action}")
        if isinstance(event, Frames) and not first:
            first = time.perf_counter() - start
    return first, time.perf_counter() - start


def while_computing(client: Client, act: Callable[[str], None]) -> None:
    """Calls `act` with the id of a long request that is being computed, then ends that request."""
    request = client.generate(segments(600, client.welcome.fps), seed=1)
    next(event for event in client.events(request) if isinstance(event, Frames))
    act(request)
    client.cancel(request)
    for _ in client.events(request):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the engine's latency.")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[2, 10, 60, 600], help="lengths of motion"
    )
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    serve = ["--weights", options.weights, "--device", options.device]

    starts = []
    for _ in range(STARTS):
        start = time.perf_counter()
        with launch(*serve):
            starts.append(time.perf_counter() - start)

    with launch(*serve) as engine, Client.connect(engine.connection_file, 30.0) as client:
        welcome = client.welcome
        versions = ", ".join(f"{name} {version}" for name, version in welcome.versions.items())
        print(
            f"{welcome.weights} on {welcome.device}, {os.cpu_count()} processors, {platform.system()}, {versions}"
        )
        print(f"\nStart to ready: {spread(starts, digits=2)} s ({STARTS} starts)\n")
        print(
            "| motion, s | times | first frame, s | last frame, s | frames per second | engine memory, MiB |"
        )
        print("|---|---|---|---|---|---|")
        one(client, segments(10, welcome.fps), 0)  # warm
        for seconds in options.seconds:
            request = segments(seconds, welcome.fps)
            times = next(n for most, n in REPEATS if seconds <= most)
            first, last = zip(*(one(client, request, seed) for seed in range(1, times + 1)), strict=True)
            rates = [sum(s.duration_frames for s in request) / t for t in last]
            memory = client.status().memory_bytes / 2**20
            print(
                f"| {seconds:g} | {times} | {spread(first)} | {spread(last)} | {spread(rates, digits=0)} "
                f"| {memory:.0f} |",
                flush=True,
            )

        pings: list[float] = []
        while_computing(client, lambda _: pings.extend(client.ping(30.0) for _ in range(100)))
        cancels = []
        for _ in range(10):

            def cancel(request: str) -> None:
                start = time.perf_counter()
                client.cancel(request)
                while client.status(30.0).busy:
                    pass
                cancels.append(time.perf_counter() - start)

            while_computing(client, cancel)
        print(
            f"\nPing while it computes: {spread(pings, 1000, 2)} ms, worst {max(pings) * 1000:.2f} ms (100 pings)"
        )
        print(f"Cancel to idle: {spread(cancels, 1000, 1)} ms, worst {max(cancels) * 1000:.1f} ms (10 times)")


if __name__ == "__main__":
    main()
