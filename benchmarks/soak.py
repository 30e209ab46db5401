"""One engine, many clients at once, for minutes: who waits how long, is anything mixed up, does memory grow.

    python benchmarks/soak.py [--minutes 5] [--clients 8] [--weights kmm-open] [--device auto]

Every client asks for one motion after the other, of random length; now and then it cancels, or goes away without a
word and comes back, while it waits for its turn or in the middle of the motion. Every piece that anybody gets is
compared, bit for bit, with the same frames made before by an engine that had nothing else to do. Prints Markdown;
exit code 1 if anything was mixed up or failed, somebody got nothing, or nobody cancelled or went away.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from kmm.client import Client
from kmm.clip import Clip
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
AT_ONCE = 0.4  # of those, share that does not even wait for its turn

Wish = tuple[PromptSegment, int]  # what to make, and the seed


@dataclass
class Figures:
    """What one client lived through."""

    done: int = 0
    cancelled: int = 0
    disconnected: int = 0
    in_queue: int = 0  # of the cancelled and disconnected, those whose computation had not started
    frames: int = 0  # that came, and were compared
    mixed_up: int = 0  # of these
    problems: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # seconds from asking to the start of the computation


def all_wishes() -> list[Wish]:
    return [(PromptSegment(p, n), seed) for seed, p in enumerate(PROMPTS) for n in LENGTHS]


def differing(frames: Frames, expected: Clip) -> int:
    """How many frames of a piece are not those that are expected."""
    part = expected.slice(frames.start, frames.start + frames.count)
    if len(part) != frames.count:
        return frames.count
    same = [
        (getattr(frames, name) == getattr(part, name)).reshape(frames.count, -1).all(-1)
        for name in ("translation", "rotations", "contacts")
    ]
    return int((~np.logical_and.reduce(same)).sum())


def one(
    client: Client, wish: Wish, expected: Clip, figures: Figures, until: int | None, cancel: bool
) -> None:
    """Asks for a motion and reads until it is finished; or `until` so many frames, -1 not at all, and then cancels
    it or leaves it alone."""
    asked, came, started = time.perf_counter(), 0, False
    request = client.generate([wish[0]], wish[1])
    leaving = until is not None
    for event in client.events(request, timeout=600):
        if isinstance(event, Accepted) and event.queue_position == 0:
            started = True
            figures.waits.append(time.perf_counter() - asked)
        elif isinstance(event, Frames):
            if event.start != came:
                figures.problems.append(f"frame {event.start} came after {came} frames")
            came += event.count
            figures.frames += event.count
            figures.mixed_up += differing(event, expected)
        elif isinstance(event, Error):
            if event.code == "cancelled" and leaving and cancel:
                figures.cancelled += 1
                figures.in_queue += not started
            else:
                figures.problems.append(f"{event.code}: {event.message}")
        elif isinstance(event, Done):
            figures.done += 1
            if not came == event.frames == len(expected):
                figures.problems.append(f"{came} frames of {len(expected)} came")
        if until is not None and came >= until:
            if not cancel:
                figures.disconnected += 1
                figures.in_queue += not started
                return
            client.cancel(request)
            until = None


def live(file: Path, figures: Figures, expected: dict[Wish, Clip], end: float, seed: int) -> None:
    """One client until the end."""
    chance = random.Random(seed)
    client = Client.connect(file, timeout=60)
    try:
        while time.monotonic() < end:
            wish = chance.choice(list(expected))
            kind = chance.random()
            until = None
            if kind < CANCEL + DISCONNECT:
                until = -1 if chance.random() < AT_ONCE else chance.randrange(1, wish[0].duration_frames)
            one(client, wish, expected[wish], figures, until, cancel=kind < CANCEL)
            if CANCEL <= kind < CANCEL + DISCONNECT:
                client.close()
                client = Client.connect(file, timeout=60)
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
        expected = {wish: watcher.motion([wish[0]], wish[1]) for wish in all_wishes()}
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
        while (status := watcher.status(60)).busy or status.queue_length:  # of those who went away
            time.sleep(0.2)

    print(
        f"{options.clients} clients for {options.minutes:g} minutes, {options.weights} on {watcher.welcome.device}\n"
    )
    print(
        "| client | finished | cancelled | went away | of these in the queue | wait, s: median | 95 % | longest |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for number, figures in enumerate(clients, start=1):
        middle, most, worst = np.percentile(figures.waits or [np.nan], [50, 95, 100])
        print(
            f"| {number} | {figures.done} | {figures.cancelled} | {figures.disconnected} "
            f"| {figures.in_queue} | {middle:.2f} | {most:.2f} | {worst:.2f} |"
        )
    done = [figures.done for figures in clients]
    waits = np.concatenate([figures.waits for figures in clients])
    low, middle, high = np.percentile(waits, [25, 50, 75])
    parts = np.array_split(np.array(memory), 4)
    print(
        f"\nWait: {middle:.2f} ({low:.2f} to {high:.2f}) s, longest {waits.max():.2f} s, {len(waits)} requests."
    )
    print(f"Finished by one client: {min(done)} to {max(done)}.")
    print(f"Mixed up: {sum(f.mixed_up for f in clients)} of {sum(f.frames for f in clients)} frames.")
    print(
        "Engine memory, MiB, by quarters of the time:",
        ", ".join(f"{part.min():.0f} to {part.max():.0f}" for part in parts if len(part)),
    )
    left = sum(f.cancelled for f in clients), sum(f.disconnected for f in clients)
    print(
        f"The clients count {sum(done)} done, {left[0]} cancelled and {left[1]} left alone; the engine "
        f"{status.requests_done - len(expected)} done and {status.requests_failed} not done."
    )
    problems = [problem for figures in clients for problem in figures.problems]
    print("".join(f"{problem}\n" for problem in problems), end="")
    ended = status.requests_done + status.requests_failed - len(expected)
    if ended != sum(done) + sum(left):
        problems.append("the counts do not agree")
        print(problems[-1])
    if problems or min(done) == 0 or min(left) == 0 or any(figures.mixed_up for figures in clients):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
