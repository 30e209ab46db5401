"""What leading a walk along another path does to its feet: how far they slide while they stand.

    python benchmarks/path_editing.py [--weights kmm-open] [--device auto] [--seeds 5]

Walks of five seconds are led along straight ways that are shorter and longer than they are, and along arcs as long as
they are; at seven frames the pelvis must be over given places. Prints Markdown.
"""

from __future__ import annotations

import argparse

import numpy as np
from kmm.clip import Clip
from kmm.foot_lock import standing
from kmm.model.pipeline import Pipeline
from kmm.path_editing import follow
from kmm.protocol import PromptSegment
from kmm.skeleton import JOINT_INDEX

TOES = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]
FRAMES = 150
STRETCHES = (0.6, 0.8, 1.0, 1.2, 1.4)
ARCS = (45, 90, 180, 360)  # degrees
PLACES = 7  # that are asked for, from the first frame to the last


def slide(clip: Clip, planted: np.ndarray) -> float:
    """Centimetres a second of the toes while they stand."""
    both = (planted[1:] & planted[:-1])[:, [1, 3]]
    steps = np.linalg.norm(np.diff(clip.joints()[:, TOES, :2], axis=0), axis=-1)
    return float(100 * clip.fps * steps[both].mean())


def way(metres: float, degrees: float) -> np.ndarray:
    """Places (PLACES, 2) of an arc to the left that begins straight ahead."""
    share = np.linspace(0, 1, PLACES)
    if not degrees:
        return np.stack([np.zeros(PLACES), -metres * share], axis=-1)
    angle = np.radians(degrees) * share
    return metres / np.radians(degrees) * np.stack([1 - np.cos(angle), -np.sin(angle)], axis=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Lead walks along other paths.")
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    pipeline = Pipeline.load(options.weights, options.device)
    walks = [
        pipeline.clip([PromptSegment("a person walks forward", FRAMES)], seed)
        for seed in range(options.seeds)
    ]
    frames = np.linspace(0, FRAMES - 1, PLACES).round().astype(int)
    rows = {
        **{f"straight, {s:g} times as long": (s, 0) for s in STRETCHES},
        **{f"an arc of {d}°": (1.0, d) for d in ARCS},
    }
    print(f"{options.weights}, {options.seeds} walks of {FRAMES / 30:g} s\n")
    print("| led along | feet slide, cm/s: median | worst |")
    print("|---|---|---|")
    planted = [standing(walk.joints(), walk.contacts, walk.fps) for walk in walks]
    made = [slide(walk, p) for walk, p in zip(walks, planted, strict=True)]
    print(f"| nothing: as made | {np.median(made):.1f} | {max(made):.1f} |")
    for name, (stretch, degrees) in rows.items():
        slides = []
        for walk, stands in zip(walks, planted, strict=True):
            metres = np.linalg.norm(walk.translation[-1, :2] - walk.translation[0, :2])
            places = way(stretch * float(metres), degrees)
            led = follow(walk, frames, places)
            assert np.abs(led.translation[frames, :2] - places).max() < 1e-6
            slides.append(slide(led, stands))
        print(f"| {name} | {np.median(slides):.1f} | {max(slides):.1f} |")


if __name__ == "__main__":
    main()
