"""One engine, many clients at once, for minutes: who waits how long, is anything mixed up, does memory grow.

    python benchmarks/soak.py [--minutes 5] [--clients 8] [--weights kmm-open] [--device auto]

Every client asks for one motion after the other, of random length; now and then it cancels in the middle, or goes
away without a word and comes back. Every motion that is finished is compared, bit for bit, with the same one made
before by an engine that had nothing else to do. Prints Markdown; exit code 1 if anything was mixed up, failed, or
somebody got nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from kmm.client import Client
from kmm.launch import launch
from kmm.protocol import Accepted, Done, Error, Frames, PromptSegment

PROMPTS = (
    "a person walks forward",
    "a person turns left",
    "a person runs",
    "a person jumps",
    "a person sits down",
)
LENGTHS = (30, 75, 150, 300)  # frames
CANCEL, DISCONNECT = 0.15, 0.1  # shares of the requests


@dataclass
class Figures:
    """What one client lived through."""

    done: int = 0
    cancelled: int = 0
    disconnected: int = 0
    mixed_up: int = 0
    problems: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # seconds from asking to the start of the computation


def all_requests() -> list[tuple[PromptSegment, int]]:
    return [(PromptSegment(p, n), seed) for seed, p in enumerate(PROMPTS) for n in LENGTHS]


def digest(frames: list[Frames]) -> str:
    parts = [part for f in frames for part in (f.translation.tobytes(), f.rotations.tobytes())]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def one(
    client: Client, segment: PromptSegment, seed: int, figures: Figures, end_at: int | None, cancel: bool
) -> str | None:
    """Asks for a motion and reads until it is finished, or until `end_at` frames; its digest if it is finished."""
    asked, frames = time.perf_counter(), []
    request = client.generate([segment], seed)
    for event in client.events(request, timeout=600):
        if isinstance(event, Accepted) and event.queue_position == 0:
            figures.waits.append(time.perf_counter() - asked)
        elif isinstance(event, Frames):
            frames.append(event)
        elif isinstance(event, Error):
            if event.code == "cancelled" and cancel:
                figures.cancelled += 1
            else:
                figures.problems.append(f"{event.code}: {event.message}")
            return None
        elif isinstance(event, Done):
            return digest(frames)
        if end_at is not None and sum(f.count for f in frames) >= end_at:
            if not cancel:
                return None
            client.cancel(request)
            end_at = None
    return None


def live(
    file: Path, figures: Figures, expected: dict[tuple[PromptSegment, int], str], end: float, seed: int
) -> None:
    """One client until the end."""
    chance = random.Random(seed)
    client = Client.connect(file, timeout=60)
    try:
        while time.monotonic() < end:
            segment, number = chance.choice(list(expected))
            kind = chance.random()
            early = kind < CANCEL + DISCONNECT
            stop = chance.randrange(segment.duration_frames) if early else None
            made = one(client, segment, number, figures, stop, cancel=kind < CANCEL)
            if early and kind >= CANCEL:
                client.close()
                figures.disconnected += 1
                client = Client.connect(file, timeout=60)
            elif made is not None:
                figures.done += 1
                figures.mixed_up += made != expected[segment, number]
    except Exception as error:
        figures.problems.append(repr(error))
    finally:
        client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Many clients at one engine.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()

    with (
        launch("--weights", options.weights, "--device", options.device) as engine,
        Client.connect(engine.connection_file, 60) as watcher,
    ):
        expected = {}
        for segment, seed in all_requests():
            made = one(watcher, segment, seed, Figures(), None, cancel=False)
            assert made is not None
            expected[segment, seed] = made
        clients = [Figures() for _ in range(options.clients)]
        end = time.monotonic() + 60 * options.minutes
        threads = [
            threading.Thread(target=live, args=(engine.connection_file, figures, expected, end, number))
            for number, figures in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        memory = []
        while time.monotonic() < end:
            memory.append(watcher.status(60).memory_bytes / 2**20)
            time.sleep(min(2.0, max(0.05, end - time.monotonic())))
        for thread in threads:
            thread.join(600)
        status = watcher.status(60)

    print(
        f"{options.clients} clients for {options.minutes:g} minutes, {options.weights} on {watcher.welcome.device}\n"
    )
    print("| client | finished | cancelled | went away | wait, s: median | 95 % | longest |")
    print("|---|---|---|---|---|---|---|")
    for number, figures in enumerate(clients, start=1):
        middle, most, worst = np.percentile(figures.waits or [np.nan], [50, 95, 100])
        print(
            f"| {number} | {figures.done} | {figures.cancelled} | {figures.disconnected} "
            f"| {middle:.2f} | {most:.2f} | {worst:.2f} |"
        )
    done = [figures.done for figures in clients]
    waits = np.concatenate([figures.waits for figures in clients])
    low, middle, high = np.percentile(waits, [25, 50, 75])
    parts = np.array_split(np.array(memory), 4)
    print(
        f"\nWait: {middle:.2f} ({low:.2f} to {high:.2f}) s, longest {waits.max():.2f} s, {len(waits)} requests."
    )
    print(f"Finished by one client: {min(done)} to {max(done)}.")
    print(f"Mixed up: {sum(f.mixed_up for f in clients)} of {sum(done)}.")
    print(
        "Engine memory, MiB, by quarters of the time:",
        ", ".join(f"{part.max():.0f}" for part in parts if len(part)),
    )
    print(f"The engine counts {status.requests_done} done, {status.requests_failed} failed or cancelled.")
    problems = [problem for figures in clients for problem in figures.problems]
    print("".join(f"{problem}\n" for problem in problems), end="")
    if problems or min(done) == 0 or any(figures.mixed_up for figures in clients):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
