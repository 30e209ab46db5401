"""Long motions joined from short ones where their poses meet, so that sequences and transitions are trained.

A motion graph walked at random (Kovar, Gleicher and Pighin, "Motion Graphs", SIGGRAPH 2002): from a piece of one
recording to a piece of another through the pair of frames at which joints are and move most alike; the seam is
smoothed by `kmm.editing.concatenate`. On the way a walk may be bent to turn by so many degrees, a turn made as large
as people ask for, and arms may do what the arms of another recording do. Some of the motions wander, the others are
what people ask for (`kmm.data.scripts`): one thing, once or some times, standing or holding still before and after.
What the result shows is read from its motion afterwards, as for every recording.
"""

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
from kmm.data.annotate import actions
from kmm.data.blending import bend_path, linger, scale_turn, with_arms
from kmm.data.derived import derive
from kmm.data.records import Recording
from kmm.data.scripts import ABOUT, Scripts
from kmm.data.signals import Signals, signals
from kmm.editing import concatenate

PLAIN = (None, "normal", "neutral")  #: styles whose motion is described by its action alone
#: Actions whose walking, turning and jumping is not what these words mean alone.
SPECIAL = re.compile(
    "danc|climb|kata|lunge|sword|dribble|basket|uneven|ladder|steps|balance|swim|levitate|tread|breakdance|cartwheel|flip|"
    "roll|boxing|drunk|crawl|sneak|hop|whirl|in place|in all directions|exercise|stance"
)
STANDS = 0.3  #: share of pieces that are standing still: where one stops, and from where one sets off
#: Frames around a piece in which it may be entered and left, and inside one that may not be cut anywhere.
SLACK, INSIDE = round(0.25 * FPS), round(0.1 * FPS)
SHORTEST, LONGEST = round(0.9 * FPS), round(4.0 * FPS)  # of a piece that may be cut: walking, standing
FEW_STEPS = round(0.4 * FPS), round(1.8 * FPS)  # frames of a walk that is asked for by its steps
BENT, ARMED = 0.35, 0.1  #: shares of walks that are bent, and of steady pieces that get other arms
AGAIN = 0.15  #: share of jumps, kicks and the like that are done once more
RETIMED, SPEEDS = 0.3, (0.75, 1.3)  #: share of pieces that are played slower or faster, and by how much
#: Share of walks that are made a slow or a fast one, their metres a second, and how much faster they may be played.
PACED, PACES, FASTER = 0.5, ((0.45, 0.7), (1.65, 1.95)), (0.5, 1.7)
#: Metres: mean distance of joints plus that of their velocities over LOOK_AHEAD; more than FAR apart do not meet.
LOOK_AHEAD, FAR = 0.12, 0.30
KINDS_TRIED, PIECES_TRIED = 4, 8  # for a join
GAIT_WEIGHT = 2.0  #: most sequences that people ask for have a walk in them
ASKED = 0.7  #: share of motions that are one thing as people ask for it
ANGLES = (45.0, 90.0, 90.0, 90.0, 135.0, 180.0, 180.0, 180.0, 270.0, 360.0)  #: turns that people ask for
HOLD = (0.0, 2.6)  #: seconds that poses at the ends are held
#: Metres a second of the fastest joint that are calm, and frames around an action in which to look for calm.
CALM, ROOM = 0.8, round(1.0 * FPS)
#: Share of turns made as large as one of these, and how much they may change.
SCALED, SCALES = 0.8, (0.6, 1.9)

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


class Joiner:
    """Draws joined motions from plain recordings; the same recordings and generator give the same motions."""

    def __init__(self, recordings: Sequence[Recording], seed: int = 0) -> None:
        plain = [r for r in recordings if r.style in PLAIN and not SPECIAL.search(r.action or "")]
        self.recordings = list(plain)
        self.clips: dict[tuple[int, bool], Clip] = {}
        self.spaces: dict[tuple[int, bool], Array] = {}
        self.kinds: dict[str, list[Piece]] = defaultdict(list)
        self.gestures: list[tuple[str, Clip]] = []  # side, arms from hanging to hanging
        for index, recording in enumerate(plain):
            self._read(index, recording.clip)
        for derived in derive(plain, np.random.default_rng(seed)):
            self.recordings.append(derived.recording)
            self._read(len(self.recordings) - 1, derived.recording.clip, derived.kinds)
        self._cut_few_steps(np.random.default_rng(seed))
        turns = [
            p for kind, found in self.kinds.items() if "turn_" in kind and "jump" not in kind for p in found
        ]
        self.kinds[ABOUT] = [replace(p, kind=ABOUT) for p in turns if _reachable(180.0, p.amount)]
        self.names = sorted(k for k, found in self.kinds.items() if found and k != "stand")
        weight = np.array([sum(p.end - p.start for p in self.kinds[k]) ** 0.5 for k in self.names])
        weight *= [GAIT_WEIGHT if k.startswith(("walk", "run")) else 1.0 for k in self.names]
        self.weight = weight / weight.sum()
        self.scripts = Scripts([k for k, found in self.kinds.items() if found])

    def _read(self, index: int, clip: Clip, kinds: re.Pattern[str] | None = None) -> None:
        """Keep the pieces of a clip, of some kinds only if these are given."""
        if len(clip) < 2:
            return
        s = signals(clip)
        for action in actions(s):
            if kinds is not None and not kinds.match(action.kind):
                continue
            whole = action.kind.startswith(("raise_lower", "wave"))
            if action.channel == "arms" and whole:
                side = action.kind.rsplit("_", 1)[1]
                self.gestures.append((side, clip.slice(action.start, action.end)))
            if action.channel == "body" or whole:
                piece = Piece(
                    index, False, action.kind, action.start, action.end, action.amount, calm_around(s, action)
                )
                self.kinds[action.kind].append(piece)

    def _cut_few_steps(self, rng: np.random.Generator) -> None:
        """From each walk short pieces: with standing around them, so many steps."""
        for walk in tuple(self.kinds.get("walk_forward", ())):
            for length in rng.integers(*FEW_STEPS, size=2):
                start = walk.start + int(rng.integers(max(1, walk.end - walk.start - length)))
                piece = replace(walk, kind="few_steps", start=start, end=min(walk.end, start + int(length)))
                self.kinds["few_steps"].append(piece)

    def draw(self, rng: np.random.Generator) -> Clip | None:
        """A motion, or None where nothing fits onto a piece."""
        return self.asked(rng) if rng.random() < ASKED else self.wander(rng, float(rng.uniform(4.0, 12.0)))

    def wander(self, rng: np.random.Generator, seconds: float) -> Clip | None:
        """A motion of about `seconds` that does one thing after another."""
        piece = self._piece(rng, self._kind(rng, None))
        parts = [self._entered(piece, rng)]
        while sum(map(len, parts)) < seconds * FPS:
            for _ in range(KINDS_TRIED):
                kind = piece.kind if not piece.steady and rng.random() < AGAIN else self._kind(rng, piece)
                if (found := self._next(parts[-1], piece, kind, rng)) is not None:
                    break
            else:
                break
            parts[-1], piece, part = found
            parts.append(part)
        return concatenate(*parts).canonical() if len(parts) > 1 else None

    def asked(self, rng: np.random.Generator) -> Clip | None:
        """A motion as people ask for it."""
        script = self.scripts.draw(rng)
        if script.held and (clip := self._acted(script.kinds, rng, held=True)) is not None:
            return linger(clip, *rng.uniform(*HOLD, size=2))
        return self._acted(self.scripts.among_standing(script.kinds, rng), rng)

    def _acted(self, kinds: Sequence[str], rng: np.random.Generator, held: bool = False) -> Clip | None:
        """Pieces of these kinds in a row; `held`: from a calm pose to a calm pose. None where they do not fit."""
        piece = self._piece(rng, kinds[0])
        if held and piece.calm is None:
            return None
        ends = piece.calm if held else None
        parts = [self._entered(piece, rng, ends and ends[0], ends[1] if ends and len(kinds) == 1 else None)]
        for number, kind in enumerate(kinds[1:], 2):
            found = self._next(parts[-1], piece, kind, rng, held and number == len(kinds))
            if found is None:
                return None
            parts[-1], piece, part = found
            parts.append(part)
        return concatenate(*parts).canonical()

    def _kind(self, rng: np.random.Generator, before: Piece | None) -> str:
        if "stand" in self.kinds and (before is None or before.kind != "stand") and rng.random() < STANDS:
            return "stand"
        return self.names[rng.choice(len(self.names), p=self.weight)]

    def _piece(self, rng: np.random.Generator, kind: str) -> Piece:
        members = self.kinds[kind]
        return replace(members[rng.integers(len(members))], mirrored=bool(rng.random() < 0.5))

    def _clip(self, piece: Piece) -> Clip:
        key = (piece.recording, piece.mirrored)
        if key not in self.clips:
            clip = self.recordings[piece.recording].clip
            self.clips[key] = clip.mirror() if piece.mirrored else clip
        return self.clips[key]

    def _space(self, piece: Piece) -> Array:
        key = (piece.recording, piece.mirrored)
        if key not in self.spaces:
            self.spaces[key] = pose_space(self._clip(piece))
        return self.spaces[key]

    def _entered(
        self, piece: Piece, rng: np.random.Generator, at: int | None = None, stop: int | None = None
    ) -> Clip:
        """The piece from frame `at` on, with room to be left; steady ones cut, bent, given other arms."""
        clip = self._clip(piece)
        start = max(0, piece.start - SLACK) if at is None else at
        stop = min(len(clip), piece.end + SLACK) if stop is None else stop
        if piece.steady:
            stop = min(stop, start + int(rng.integers(SHORTEST, LONGEST)))
        part = clip.slice(start, stop)
        faster = _tempo(piece.kind, part, rng)
        if faster != 1.0:
            part = replace(part, fps=part.fps * faster).resample(FPS)
        if piece.kind == ABOUT:
            part = scale_turn(part, 180.0 / abs(piece.amount))
        elif piece.kind.startswith("turn_") and rng.random() < SCALED:
            part = scale_turn(part, _share(piece.amount, rng))
        if piece.kind.startswith(("walk_forward", "run_forward")) and rng.random() < BENT:
            part = bend_path(part, *_bend(len(part), rng))
        if piece.steady and self.gestures and rng.random() < ARMED:
            side, arms = self._arms(rng)
            if len(arms) <= len(part):
                part = with_arms(part, arms, side, int(rng.integers(len(part) - len(arms) + 1)))
        return part

    def _arms(self, rng: np.random.Generator) -> tuple[str, Clip]:
        """A gesture, mirrored or not, of one arm at times though both made it, and at times slower."""
        side, arms = self.gestures[rng.integers(len(self.gestures))]
        if rng.random() < 0.5:
            side, arms = {"left": "right", "right": "left"}.get(side, side), arms.mirror()
        if side == "both":
            side = ("left", "right", "both")[rng.integers(3)]
        slower = replace(arms, fps=arms.fps / float(rng.uniform(1.0, 1.8)))
        return side, slower.resample(FPS)

    def _next(
        self, part: Clip, piece: Piece, kind: str, rng: np.random.Generator, held: bool = False
    ) -> tuple[Clip, Piece, Clip] | None:
        """What is left of `part`, the piece of a kind that follows, and its motion; None where none fits.

        held: the piece that follows must end in a calm pose.
        """
        least = max(1, len(part) - SLACK - INSIDE) if not piece.steady else max(2, len(part) - SLACK)
        leave = np.arange(min(least, len(part) - 1), len(part))
        here = pose_space(part)[leave]
        best: tuple[float, int, Piece, int] | None = None
        for _ in range(PIECES_TRIED):
            other = self._piece(rng, kind)
            if held and other.calm is None:
                continue
            if kind == piece.kind:  # once more with the same side
                other = replace(other, mirrored=piece.mirrored)
            enter = self._entries(other)
            cost = np.abs(here[:, None] - self._space(other)[enter][None]).mean(-1) * 3
            i, j = np.unravel_index(int(cost.argmin()), cost.shape)
            if cost[i, j] < FAR and (best is None or cost[i, j] < best[0]):
                best = (float(cost[i, j]), int(leave[i]), other, int(enter[j]))
        if best is None:
            return None
        _, leaving, other, entering = best
        stop = other.calm[1] if held and other.calm else None
        return part.slice(0, leaving), other, self._entered(other, rng, entering, stop)

    def _entries(self, piece: Piece) -> NDArray[np.integer]:
        """Frames at which a piece may be entered."""
        last = max(piece.start + 1, piece.end - SHORTEST) if piece.steady else piece.start + INSIDE
        return np.arange(max(0, piece.start - SLACK), min(last, len(self._space(piece))))


def calm_around(s: Signals, action: Action) -> tuple[int, int] | None:
    """The last calm frame before an action and the first after it, None where there is none near."""
    fastest = np.linalg.norm(np.gradient(s.joints, axis=0), axis=-1).max(-1) * s.fps
    calm = np.flatnonzero(fastest < CALM)
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


def _tempo(kind: str, part: Clip, rng: np.random.Generator) -> float:
    """By how much faster to play a piece: few walks are slow or fast by themselves, though people ask for both."""
    if kind == "walk_forward" and rng.random() < PACED:
        pace = np.linalg.norm(np.diff(part.translation[:, :2], axis=0), axis=-1).mean() * part.fps
        return float(np.clip(rng.uniform(*PACES[rng.integers(2)]) / max(pace, 0.1), *FASTER))
    return float(rng.uniform(*SPEEDS)) if rng.random() < RETIMED else 1.0


def _bend(frames: int, rng: np.random.Generator) -> tuple[float, int, int]:
    """Degrees (positive to the left), and the frames over which to turn: at most about 50 degrees a second."""
    span = int(rng.integers(min(frames - 1, round(FPS)), frames))
    most = min(180.0, 50.0 * span / FPS)
    degrees = float(rng.uniform(min(25.0, most), most)) * (1 if rng.random() < 0.5 else -1)
    start = int(rng.integers(frames - span + 1))
    return degrees, start, start + span


def _share(amount: float, rng: np.random.Generator) -> float:
    """By how much to scale a turn of so many degrees, to be one that people ask for; 1 where none is near."""
    shares = [a / abs(amount) for a in ANGLES if _reachable(a, amount)]
    return shares[rng.integers(len(shares))] if shares else 1.0


def _reachable(angle: float, amount: float) -> bool:
    """Whether a turn of `amount` degrees may be made one of `angle`."""
    return SCALES[0] <= angle / max(1.0, abs(amount)) <= SCALES[1]


def join(recordings: Sequence[Recording], count: int, seed: int = 0) -> list[Recording]:
    """`count` joined recordings for training, from recordings of one split; fewer where few pieces meet."""
    rng = np.random.default_rng(seed)
    joiner = Joiner(recordings, seed)
    if not joiner.names:
        return []
    commercial = all(r.commercial is True for r in joiner.recordings)
    split = joiner.recordings[0].split
    found: list[Recording] = []
    for _ in range(4 * count):
        if len(found) == count:
            break
        clip = joiner.draw(rng)
        if clip is not None and len(clip) > 1.5 * FPS:
            name = f"joined-{len(found)}"
            found.append(Recording("joined", name, name, split, clip, commercial=commercial or None))
    return found
