"""Pieces of recordings that show one action each: what motions are joined from (`kmm.data.joining`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import FPS, Clip, heading
from kmm.data.actions import Action
from kmm.data.annotate import actions, arms_up, wrists_up
from kmm.data.derived import derive
from kmm.data.records import Recording
from kmm.data.scripts import ABOUT, COUNTED
from kmm.data.signals import fastest, signals

PLAIN = (None, "normal", "neutral")  #: styles whose motion is described by its action alone
#: Actions whose walking, turning and jumping is not what these words mean alone.
SPECIAL = re.compile(
    "danc|climb|kata|lunge|sword|dribble|basket|uneven|ladder|steps|balance|swim|levitate|tread|breakdance|cartwheel|flip|"
    "roll|boxing|drunk|crawl|sneak|hop|whirl|in place|in all directions|exercise|stance|elbow to knee|laugh"
)
#: Who fights does all else on guard: with fists up, one foot ahead.
FIGHT, ON_GUARD = re.compile("side kick|front kick|punch"), re.compile("crouch|up_from_crouch|bow|turn|squat")
#: Frames around a piece in which it may be entered and left, and inside one that may not be cut anywhere.
SLACK, INSIDE = round(0.25 * FPS), round(0.1 * FPS)
SHORTEST, LONGEST = round(0.9 * FPS), round(4.0 * FPS)  # of a piece that may be cut: walking, standing
FEW_STEPS = round(0.4 * FPS), round(1.8 * FPS)  # frames of a walk that is asked for by its steps
#: Metres a second of the fastest joint that are calm, and frames around an action in which to look for calm.
CALM, ROOM = 0.8, round(1.0 * FPS)
SCALES = (0.6, 1.9)  #: how much a turn may be changed to be one of so many degrees
STRIKE = re.compile("kick|punch")  #: kinds around which a body holds still though it was not calm there
LOOK_AHEAD = 0.12  #: seconds over which velocities count as distances

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Piece:
    """Frames [start, end) of a recording (mirrored or not) that show one action."""

    recording: int
    mirrored: bool
    kind: str
    start: int
    end: int
    amount: float = 0.0  #: degrees turned
    calm: tuple[int, int] | None = None  #: the nearest frames before and after it in which the body is calm

    @property
    def steady(self) -> bool:
        """Whether it may be cut anywhere."""
        return self.kind.startswith(("walk", "run", "stand"))


class Pieces:
    """Pieces of plain recordings, and of what these are made into, by kind; whole ones and few steps of walks."""

    def __init__(self, recordings: Sequence[Recording], seed: int) -> None:
        plain = [r for r in recordings if r.style in PLAIN and not SPECIAL.search(r.action or "")]
        self.recordings = list(plain)
        self.kinds: dict[str, list[Piece]] = defaultdict(list)
        self.gestures: list[tuple[str, Clip]] = []  # side, arms from hanging to hanging
        self._clips: dict[tuple[int, bool], Clip] = {}
        self._spaces: dict[tuple[int, bool], Array] = {}
        for index, recording in enumerate(plain):
            self._read(index, recording.clip)
        for derived in derive(plain, np.random.default_rng(seed)):
            self.recordings.append(derived.recording)
            self._read(len(self.recordings) - 1, derived.recording.clip, derived.kinds)
        self._cut_few_steps(np.random.default_rng(seed))
        turns = [
            p for kind, found in self.kinds.items() if re.match("(walk_|run_)?turn_", kind) for p in found
        ]
        self.kinds[ABOUT] = [replace(p, kind=ABOUT) for p in turns if reachable(180.0, p.amount)]

    def _read(self, index: int, clip: Clip, kinds: re.Pattern[str] | None = None) -> None:
        """Keep the pieces of a clip, of some kinds only if these are given."""
        if len(clip) < 2:
            return
        s = signals(clip)
        calm = np.flatnonzero(fastest(s) < CALM)
        up, fight = wrists_up(s), FIGHT.search(self.recordings[index].action or "")
        for action in actions(s):
            if (kinds is not None and not kinds.match(action.kind)) or arms_up(action, up):
                continue
            if fight and ON_GUARD.match(action.kind):
                continue
            if COUNTED.match(action.kind) and action.count > 1:  # how often is for scripts to say
                continue
            whole = action.kind.startswith(("raise_lower", "wave"))
            if action.channel == "arms" and whole:
                side = action.kind.rsplit("_", 1)[1]
                self.gestures.append((side, clip.slice(action.start, action.end)))
            if action.channel == "body" or whole:
                held = _around(calm, action)
                if held is None and STRIKE.match(action.kind):
                    held = action.start, action.end
                piece = Piece(index, False, action.kind, action.start, action.end, action.amount, held)
                self.kinds[action.kind].append(piece)

    def _cut_few_steps(self, rng: np.random.Generator) -> None:
        """From each walk short pieces: with standing around them, so many steps."""
        for walk in tuple(self.kinds.get("walk_forward", ())):
            for length in rng.integers(*FEW_STEPS, size=2):
                start = walk.start + int(rng.integers(max(1, walk.end - walk.start - length)))
                piece = replace(walk, kind="few_steps", start=start, end=min(walk.end, start + int(length)))
                self.kinds["few_steps"].append(piece)

    def draw(self, rng: np.random.Generator, kind: str) -> Piece:
        """Any piece of a kind, mirrored or not."""
        members = self.kinds[kind]
        return replace(members[rng.integers(len(members))], mirrored=bool(rng.random() < 0.5))

    def clip(self, piece: Piece) -> Clip:
        """The whole recording of a piece, mirrored if that is."""
        key = (piece.recording, piece.mirrored)
        if key not in self._clips:
            clip = self.recordings[piece.recording].clip
            self._clips[key] = clip.mirror() if piece.mirrored else clip
        return self._clips[key]

    def space(self, piece: Piece) -> Array:
        """`pose_space` of the whole recording of a piece."""
        key = (piece.recording, piece.mirrored)
        if key not in self._spaces:
            self._spaces[key] = pose_space(self.clip(piece))
        return self._spaces[key]

    def entries(self, piece: Piece, before: int = SLACK, inside: int = INSIDE) -> NDArray[np.integer]:
        """Frames at which a piece may be entered: so many before and after its start, anywhere if it is steady."""
        last = max(piece.start + 1, piece.end - SHORTEST) if piece.steady else piece.start + inside
        return np.arange(max(0, piece.start - before), min(last, len(self.space(piece))))


def _around(calm: NDArray[np.integer], action: Action) -> tuple[int, int] | None:
    """The last of the calm frames before an action and the first after it, None where there is none near."""
    before = calm[(calm >= action.start - ROOM) & (calm <= action.start + INSIDE)]
    after = calm[(calm >= action.end - 1 - INSIDE) & (calm <= action.end + ROOM)]
    return (int(before[-1]), int(after[0]) + 1) if len(before) and len(after) else None


def pose_space(clip: Clip) -> Array:
    """(T, 132) joints in the heading frame, and how far they move there in LOOK_AHEAD seconds; metres."""
    joints = clip.joints()
    yaw = heading(clip.rotations[:, 0])
    turn = rot.inv(rot.from_rotvec(yaw[:, None] * np.array([0.0, 0.0, 1.0])))[:, None]
    floor = joints[:, :1] * np.array([1.0, 1.0, 0.0])
    here = rot.apply(turn, joints - floor)
    velocity = np.gradient(joints, axis=0) if len(joints) > 1 else np.zeros_like(joints)
    moving = rot.apply(turn, velocity * clip.fps * LOOK_AHEAD)
    return np.concatenate([here.reshape(len(clip), -1), moving.reshape(len(clip), -1)], axis=-1)


def reachable(angle: float, amount: float) -> bool:
    """Whether a turn of `amount` degrees may be made one of `angle`."""
    return SCALES[0] <= angle / max(1.0, abs(amount)) <= SCALES[1]
