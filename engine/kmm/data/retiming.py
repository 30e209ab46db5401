"""Giving time-normalised windows their natural speed back.

Some CMU clips of the training set are windows of exactly 60 frames whose time axis was normalised: every walking
and running window is one gait cycle (two steps in 2 s, whatever the speed), and bodies in the jumping ones fall
with up to twice the acceleration of gravity. The true rate is recovered from what is known of bodies: the ratio of
step length to step rate in walking, the step rate in running, gravity in a jump.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kmm.clip import FPS, Clip
from kmm.contacts import REST_HEIGHT
from kmm.data.actions import runs
from kmm.editing import concatenate, loop
from kmm.skeleton import CONTACT_JOINTS

WINDOW = 60  # frames of a normalised window
CYCLES = 3  # a single gait cycle is about a second: repeated, it is long enough to train on
#: Metres per (steps a second): the walk ratio, nearly the same at every speed (Sekiya and Nagasaki 1998), measured
#: here on the set's whole walking trials: 0.76 m at 1.73 steps a second.
WALK_RATIO = 0.44
RUN_STEP_RATE = 2.8  # steps a second of the set's whole running trials (2.6 to 3.3)
#: Fall of the pelvis in the set's whole jumping trials, m/s2: gravity, less as the skeleton is smaller than people.
GRAVITY = 9.6


def natural_speed(clip: Clip, action: str) -> Clip:
    """The clip at its natural rate, gait cycles repeated; `action` is the set's label (walk, run, jump ...)."""
    gait = action.split()[0]
    if gait in ("walk", "run"):
        travelled = float(np.linalg.norm(clip.translation[-1, :2] - clip.translation[0, :2]))
        steps = 2.0
        step_rate = RUN_STEP_RATE if gait == "run" else travelled / steps / WALK_RATIO
        faster = step_rate * clip.seconds / steps
        cycle = loop(_faster(clip, faster), blend=6)
        return concatenate(*[cycle] * CYCLES, blend=0)
    if gait == "jump":
        fall = _fall(clip)
        # a noisy estimate near gravity is no evidence of a wrong rate
        return (
            clip
            if fall is None or 0.8 < fall / GRAVITY < 1.25
            else _faster(clip, float(np.sqrt(GRAVITY / fall)))
        )
    return clip


def _faster(clip: Clip, factor: float) -> Clip:
    return replace(clip, fps=clip.fps * factor).resample(FPS)


def _fall(clip: Clip) -> float | None:
    """Downward acceleration of the pelvis while both feet are well off the floor, m/s2; None without a flight."""
    joints = clip.joints()
    clear = (joints[:, list(CONTACT_JOINTS), 2] - REST_HEIGHT).min(1)
    found = []
    for a, b in runs(clear > 0.08):
        if b - a >= 5:
            t = np.arange(b - a) / clip.fps
            found.append((b - a, -2.0 * float(np.polyfit(t, joints[a:b, 0, 2].astype(float), 2)[0])))
    if not found:
        return None
    fall = max(found)[1]
    return fall if 3.0 < fall < 40.0 else None
