"""From asking to the first and to the last key in Blender, the engine warm and its process beside Blender's.

    python benchmarks/first_key.py [--seconds 2 10 60] [--weights kmm-open]

Needs a Python with bpy and kmm[engine]. Prints Markdown: medians, and in brackets the quartiles.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from kmm.client import Client
from kmm.clip import Clip
from kmm.launch import launch
from kmm.protocol import Error, Frames, PromptSegment

sys.path.append(str(Path(__file__).parents[1]))
from blender_addon import action_api, armature, character
from blender_addon.keying import Keyer

PROMPTS = ("a person walks forward", "a person walks and turns left", "a person runs forward")
SEGMENT_SECONDS = 5.0
REPEATS = 10


def segments(seconds: float, fps: float) -> list[PromptSegment]:
    count = max(1, round(seconds / SEGMENT_SECONDS))
    ends = [round(i * seconds / count * fps) for i in range(count + 1)]
    return [
        PromptSegment(p, b - a)
        for p, (a, b) in zip(itertools.cycle(PROMPTS), itertools.pairwise(ends), strict=False)
    ]


def one(client: Client, request: list[PromptSegment], seed: int) -> tuple[float, float]:
    """Seconds until the first and until the last key stands in the action."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    body = character.create(bpy.context)
    armature.use_quaternions(body)
    convert = armature.PoseConverter(body.data)
    fps = client.welcome.fps
    start, first = time.perf_counter(), 0.0
    request_id = client.generate(request, seed)
    action = action_api.new_action("benchmark", body.name)
    action_api.assign(body, action)
    keyer = Keyer(action, armature.channels(), 1, sum(s.duration_frames for s in request))
    for event in client.events(request_id, timeout=600):
        if isinstance(event, Error):
            raise SystemExit(f"{event.message} {event.action}")
        if isinstance(event, Frames):
            keyer.append(convert(Clip(event.translation, event.rotations, fps)))
            keyer.write()
            first = first or time.perf_counter() - start
    return first, time.perf_counter() - start


def spread(values: tuple[float, ...]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the time to the first key in Blender.")
    parser.add_argument("--seconds", type=float, nargs="+", default=[2, 10, 60], help="lengths of motion")
    parser.add_argument("--weights", default="kmm-open")
    options = parser.parse_args()
    with (
        launch("--weights", options.weights) as engine,
        Client.connect(engine.connection_file, 30.0) as client,
    ):
        print(f"Blender {bpy.app.version_string}, {client.welcome.weights} on {client.welcome.device}\n")
        print("| motion, s | times | first key, s | last key, s |")
        print("|---|---|---|---|")
        one(client, segments(10, client.welcome.fps), 0)  # warm
        for seconds in options.seconds:
            request = segments(seconds, client.welcome.fps)
            first, last = zip(*(one(client, request, seed) for seed in range(1, REPEATS + 1)), strict=True)
            print(f"| {seconds:g} | {REPEATS} | {spread(first)} | {spread(last)} |", flush=True)


if __name__ == "__main__":
    main()
