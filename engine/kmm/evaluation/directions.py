"""Does the motion do what the text says? Judged by physics on the joints, not by a network.

Every check is a prompt and a predicate over what was made: where the body went in its own frame, how far and to which
side it turned, how high pelvis, feet and wrists were. None of the prompts is a wording that training captions use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kmm.clip import Clip
from kmm.data import actions
from kmm.data.gestures import swings
from kmm.data.signals import Signals, signals
from kmm.data.wording import swap_left_right

Predicate = Callable[[Signals], bool]
Generate = Callable[[str, int, int], Clip]  #: prompt, frames, seed -> clip

LEFT, RIGHT = 0, 1


# Measures: floats over a whole motion, metres, degrees, seconds.


def forward(s: Signals) -> float:
    """Distance gone ahead in the body's own frame (negative: backwards)."""
    return float(s.velocity[:, 0].sum() / s.fps)


def left(s: Signals) -> float:
    """Distance gone to the body's own left (negative: right)."""
    return float(s.velocity[:, 1].sum() / s.fps)


def turned(s: Signals) -> float:
    """Net change of heading, degrees, positive to the left."""
    return float(np.degrees(s.yaw[-1] - s.yaw[0]))


def seconds(s: Signals) -> float:
    return len(s) / s.fps


def pace(s: Signals) -> float:
    """Median speed over the floor."""
    return float(np.median(s.speed))


def airborne(s: Signals) -> float:
    """The longest time that an upright body has both feet off the floor and its pelvis as high as in standing."""
    off = (s.clearance.min(1) > 0.05) & (s.height > 0.93) & (s.upright > 0.7)
    return max((b - a for a, b in actions.runs(off)), default=0) / s.fps


def upright(s: Signals) -> bool:
    return bool(np.median(s.height) > 0.75 and np.median(s.upright) > 0.8)


# Predicates. Those with a side are for the left; `Check.mirrored` judges the mirrored motion for the right.


def goes_forward(s: Signals) -> bool:
    return (
        upright(s)
        and forward(s) > 0.4 * seconds(s)
        and abs(left(s)) < 0.3 * forward(s)
        and abs(turned(s)) < 45
    )


def walks_forward(s: Signals) -> bool:
    return goes_forward(s) and pace(s) < 2.2


def walks_slowly(s: Signals) -> bool:
    straight = abs(turned(s)) < 60 and abs(left(s)) < 0.5 * forward(s) and airborne(s) < 0.1
    return upright(s) and straight and 0.1 * seconds(s) < forward(s) and pace(s) < 1.0


def walks_fast(s: Signals) -> bool:
    return goes_forward(s) and 1.4 < pace(s) < 2.6


def runs(s: Signals) -> bool:
    return goes_forward(s) and pace(s) > 1.7


def goes_backward(s: Signals) -> bool:
    return upright(s) and forward(s) < -0.25 * seconds(s) and abs(left(s)) < -0.5 * forward(s)


def goes_left(s: Signals) -> bool:
    return upright(s) and left(s) > 0.2 * seconds(s) and abs(forward(s)) < left(s)


def goes_diagonally_left(s: Signals) -> bool:
    return (
        upright(s)
        and forward(s) > 0.25 * seconds(s)
        and 0.2 < left(s) / forward(s) < 2.0
        and abs(turned(s)) < 45
    )


def turns_left(s: Signals) -> bool:
    return 40 < turned(s) < 270


def turns_quarter_left(s: Signals) -> bool:
    return 55 < turned(s) < 130


def turns_around(s: Signals) -> bool:
    return 130 < abs(turned(s)) < 240


def goes_and_turns_left(s: Signals) -> bool:
    return upright(s) and 45 < turned(s) < 270 and travelled(s) > 0.35 * seconds(s)


def circles_left(s: Signals) -> bool:
    return upright(s) and turned(s) > 200 and travelled(s) > 0.3 * seconds(s)


def travelled(s: Signals) -> float:
    """Length of the way along the floor."""
    return float(s.speed.sum() / s.fps)


def stands(s: Signals) -> bool:
    calm = np.linalg.norm(s.joints[:, 0, :2] - s.joints[0, 0, :2], axis=-1).max() < 0.3
    return upright(s) and bool(calm) and float(np.ptp(s.yaw)) < np.radians(40) and airborne(s) < 0.1


def stops(s: Signals) -> bool:
    end = round(0.6 * s.fps)
    return (
        airborne(s) < 0.1
        and forward(s) > 0.5
        and float(s.speed[-end:].mean()) < 0.35 * max(0.5, float(s.speed.max()))
    )


def sets_off(s: Signals) -> bool:
    start = round(0.5 * s.fps)
    return (
        airborne(s) < 0.1 and forward(s) > 0.5 and float(s.speed[:start].mean()) < 0.5 * float(s.speed.max())
    )


def jumps(s: Signals) -> bool:
    return 0.13 <= airborne(s) < 1.0 and float(s.clearance.min(1).max()) > 0.08 and pace(s) < 1.7


def jumps_forward(s: Signals) -> bool:
    return jumps(s) and forward(s) > 0.3


def squats(s: Signals) -> bool:
    return float(s.height.min()) < 0.7 and float(s.height[-5:].mean()) > 0.8 and airborne(s) < 0.1


def gets_low(s: Signals) -> bool:
    return float(s.height.min()) < 0.75 and float(s.head_height.min()) > 0.5 and not sits(s)


def sits(s: Signals) -> bool:
    low = s.height < 0.88
    return (
        bool(low.mean() > 0.2) and float(np.median(s.foot[low][:, :, 0])) > 0.15 and s.head_height.min() > 0.6
    )


def lies(s: Signals) -> bool:
    return bool(np.mean((s.head_height < 0.55) & (s.height < 0.45)) > 0.08)


def bows(s: Signals) -> bool:
    """The trunk comes down in front, or up from there, over legs that stay where they are."""
    ahead = s.lean[:, 0]
    return bool(ahead.max() > 0.4 and np.ptp(ahead) > 0.3 and s.height.min() > 0.7 and pace(s) < 0.4)


def raises_left(s: Signals) -> bool:
    return _raised(s, LEFT) and not _raised(s, RIGHT) and abs(forward(s)) < 0.8


def raises_both(s: Signals) -> bool:
    together = (s.wrist[:, :, 2] > 0.08).all(1)
    return bool(together.mean() > 0.1) and abs(forward(s)) < 0.8


def waves_left(s: Signals) -> bool:
    up = np.flatnonzero(s.wrist[:, LEFT, 2] > 0.0)
    return raises_left(s) and swings(s, LEFT, int(up[0]), int(up[-1]) + 1)[0] >= 4


def goes_with_left_arm_up(s: Signals) -> bool:
    return forward(s) > 0.3 * seconds(s) and _raised(s, LEFT) and not _raised(s, RIGHT)


def kicks_left(s: Signals) -> bool:
    """The left foot comes up in front, higher than the right ever does."""
    out = np.where(s.foot[:, :, 0] > 0.3, s.foot[:, :, 2], -1.0).max(0)
    return bool(out[LEFT] > -0.5 and out[LEFT] > out[RIGHT] + 0.1 and airborne(s) < 0.3)


def punches_left(s: Signals) -> bool:
    """The left fist drives forward to about shoulder height, faster than the right."""
    speed = np.gradient(s.wrist[:, :, 0], axis=0) * s.fps
    level = (np.abs(s.wrist[:, :, 2]) < 0.25) & (s.wrist[:, :, 0] > 0.2)
    fastest = np.where(level, speed, 0.0).max(0)
    return bool(fastest[LEFT] > 1.5 and fastest[LEFT] > 1.2 * fastest[RIGHT] and pace(s) < 0.8)


def _raised(s: Signals, side: int) -> bool:
    """A wrist above the shoulders for at least a tenth of the time."""
    return bool(np.mean(s.wrist[:, side, 2] > 0.05) > 0.1)


@dataclass(frozen=True)
class Check:
    """A prompt, how long a motion to ask for, and what must be true of it."""

    kind: str
    prompt: str
    passes: Predicate
    seconds: float = 4.0
    mirror: bool = False  #: the predicate is about the mirrored motion

    def mirrored(self) -> Check:
        """The same for the other side."""
        kind, prompt = swap_left_right(self.kind), swap_left_right(self.prompt)
        return Check(kind, prompt, self.passes, self.seconds, not self.mirror)

    def judge(self, clip: Clip) -> bool:
        return bool(self.passes(signals(clip.mirror() if self.mirror else clip)))


#: kind -> (predicate, seconds, prompts); kinds and prompts that name a side are asked for both sides.
PROMPTS: dict[str, tuple[Predicate, float, tuple[str, ...]]] = {
    "walk forward": (walks_forward, 4, (
        "a guy is heading forwards at a normal pace",
        "take a walk straight to the front",
        "the subject advances on foot without turning",
        "somebody strolls along a straight path",
        "walking normally",
    )),
    "walk slowly": (walks_slowly, 4, (
        "creep forward very slowly", "the man walks as slow as a snail", "an unhurried, slow walk",
    )),
    "walk fast": (walks_fast, 4, (
        "walk with hurried steps", "the woman is power walking", "someone walks ahead at a very quick pace",
    )),
    "run": (runs, 3, (
        "the man is running as quick as he can", "go for a run", "somebody hurries ahead at a run",
        "a runner running on a straight track", "the person dashes to the front",
    )),
    "walk backward": (goes_backward, 4, (
        "the person is moving in reverse on foot", "retreat backwards step by step",
        "he takes several paces back while facing the front", "walk the other way round, back first",
    )),
    "walk to the left": (goes_left, 4, (
        "shift over to your left with side steps", "the man goes sideways in the left direction",
        "she is side stepping to her left",
    )),
    "walk diagonally to the left": (goes_diagonally_left, 4, (
        "walk ahead on a diagonal, drifting over to the left", "the person advances diagonally towards the left side",
    )),
    "turn left": (turns_left, 3, (
        "rotate your whole body so that you face left", "the man swivels on the spot toward the left",
        "stay where you are and turn to face the left side",
    )),
    "turn left by 90 degrees": (turns_quarter_left, 3, (
        "make a quarter turn to the left where you are", "the person makes a 90 degree turn to the left",
    )),
    "turn around": (turns_around, 4, (
        "do an about-face", "the person turns to face the opposite way", "a man makes a 180 degree turn",
    )),
    "walk and turn left": (goes_and_turns_left, 5, (
        "someone is walking and takes the next corner on the left",
        "stroll ahead and afterwards bend off to the left",
        "first go straight, afterwards make a turn to the left", "the man changes direction to the left as he walks",
    )),
    "walk in a circle to the left": (circles_left, 8, (
        "the figure follows a circular path counterclockwise", "walk round and round in a ring to the left",
    )),
    "stand": (stands, 4, (
        "just stand there", "the person does nothing and remains on the spot", "hold still without moving the feet",
        "a man is standing around", "idle",
    )),
    "stop": (stops, 5, (
        "walk for a bit and then come to rest", "the man walks up and stands still at the end",
    )),
    "set off": (sets_off, 5, (
        "stand for a moment and then set off walking", "from standing, the person starts to walk",
    )),
    "jump": (jumps, 3, (
        "the man hops high into the air", "do one leap upwards from where you stand", "jumping up with both legs",
    )),
    "jump forward": (jumps_forward, 3, (
        "take a big leap to the front", "the person does a long jump from standing", "bounce forward off both feet",
    )),
    "squat": (squats, 3, (
        "bend both knees into a deep squat and come back up", "the athlete does a squat exercise",
    )),
    "crouch": (gets_low, 4, (
        "make yourself small by crouching", "the man ducks low with bent legs",
    )),
    "sit": (sits, 5, (
        "the woman takes her place on a chair", "be seated",
    )),
    "lie down": (lies, 5, (
        "lay yourself flat on the floor", "the person gets down and lies on their back",
    )),
    "bow": (bows, 4, (
        "greet with a deep bow", "the actor bows to the audience", "bend the upper body forward in respect",
    )),
    "raise the left arm": (raises_left, 3, (
        "the man's left arm goes up over his head", "put up the left hand as if to ask a question",
        "stretch your left arm toward the ceiling",
    )),
    "raise both arms": (raises_both, 3, (
        "hands up", "stretch the two arms to the sky", "the person lifts the left and the right arm together",
    )),
    "wave with the left hand": (waves_left, 4, (
        "say hi by waving your left arm", "the man waves goodbye using the left hand",
    )),
    "walk with the left arm up": (goes_with_left_arm_up, 4, (
        "go forward on foot with the left hand in the air", "the man keeps his left arm raised as he walks",
    )),
    "kick with the left leg": (kicks_left, 3, (
        "the left foot kicks out to the front", "give a ball a kick using the left leg",
    )),
    "punch with the left hand": (punches_left, 3, (
        "hit straight ahead with the left fist", "a boxer throws a left jab",
    )),
}  # fmt: skip


def checks() -> Iterator[Check]:
    """Every check, both sides where there are sides."""
    for kind, (predicate, length, prompts) in PROMPTS.items():
        for prompt in prompts:
            check = Check(kind, prompt, predicate, length)
            yield check
            if swap_left_right(kind) != kind:
                yield check.mirrored()


@dataclass
class Tally:
    """How many motions of a kind did what their prompt said."""

    passed: int = 0
    made: int = 0

    @property
    def rate(self) -> float:
        return self.passed / max(1, self.made)


def score(
    generate: Generate, seeds: Iterable[int], chosen: Iterable[Check] | None = None, fps: float = 30.0
) -> dict[str, Tally]:
    """A tally for each kind, over all its prompts and seeds; "overall" is the last.

    generate: prompt, frames, seed -> clip of so many frames.
    """
    tallies: dict[str, Tally] = {}
    overall = Tally()
    seeds = list(seeds)
    for check in checks() if chosen is None else chosen:
        for seed in seeds:
            passed = check.judge(generate(check.prompt, round(check.seconds * fps), seed))
            for tally in (tallies.setdefault(check.kind, Tally()), overall):
                tally.passed += passed
                tally.made += 1
    return {**tallies, "overall": overall}


def table(tallies: dict[str, Tally]) -> str:
    """The tallies as lines of text."""
    width = max(map(len, tallies))
    return "\n".join(f"{k:{width}}  {t.passed:4} of {t.made:4}  {t.rate:6.1%}" for k, t in tallies.items())
