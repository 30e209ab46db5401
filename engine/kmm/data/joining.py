"""Long motions joined from short ones where their poses meet, so that sequences and transitions are trained.

A motion graph walked at random (Kovar, Gleicher and Pighin, "Motion Graphs", SIGGRAPH 2002): from a piece of one
recording to a piece of another through the pair of frames at which joints are and move most alike; the seam is
smoothed by `kmm.editing.concatenate`. On the way a walk may be bent to turn by so many degrees, a turn made as large
as people ask for, and arms may do what the arms of another recording do. Some of the motions wander, the others are
what people ask for (`kmm.data.scripts`): one thing, once or some times, standing or holding still before and after.
What the result shows is read from its motion afterwards, as for every recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kmm.clip import FPS, Clip
from kmm.data.annotate import calm_frames
from kmm.data.blending import bend_path, linger, linger_at, scale_turn, waving, with_arms
from kmm.data.pieces import INSIDE, LONGEST, SHORTEST, SLACK, Piece, Pieces, pose_space, reachable
from kmm.data.records import Recording
from kmm.data.scripts import ABOUT, Scripts
from kmm.data.signals import signals
from kmm.editing import concatenate
from kmm.skeleton import JOINT_INDEX

STANDS = 0.3  #: share of pieces that are standing still: where one stops, and from where one sets off
#: Shares of walks that are bent as they wander, and of steady pieces that get other arms.
BENT, ARMED = 0.35, 0.1
AGAIN = 0.15  #: share of jumps, kicks and the like that are done once more
#: Frames of a jump's landing that the next one may do without, and of that one's crouch: who jumps again does not
#: stand up between. Else three jumps take seven seconds, and five are time for a fourth one.
REBOUND = round(0.4 * FPS)
RETIMED, SPEEDS = 0.3, (0.75, 1.3)  #: share of pieces that are played slower or faster, and by how much
#: Share of walks that are made a slow or a fast one, their metres a second, and how much faster they may be played.
PACED, PACES, FASTER = 0.5, ((0.45, 0.7), (1.65, 1.95)), (0.5, 1.7)
FAR = 0.30  #: metres: mean distance of joints plus that of their velocities; farther apart do not meet
KINDS_TRIED, PIECES_TRIED = 4, 8  # for a join
GAIT_WEIGHT = 2.0  #: most sequences that people ask for have a walk in them
ASKED = 0.7  #: share of motions that are one thing as people ask for it
ANGLES = (45.0, 90.0, 90.0, 90.0, 135.0, 180.0, 180.0, 180.0, 270.0, 360.0)  #: turns that people ask for
HOLD = (0.0, 2.6)  #: seconds that poses at the ends are held
#: Seconds that gestures of a standing body are held up, share of those held longer than a wave takes that are waved,
#: how far (degrees) and how often a second, and share that is cut so that arms are up at the beginning or at the end.
UP, WAVED, WAVE, SWING, BEATS, CUT = (0.0, 4.0), 0.6, 1.3, (18.0, 40.0), (1.2, 2.3), 0.4
NEAR = 0.2  #: share of the way out that may be left on coming back
#: Seconds at most that who took a few steps stands on, since people ask for four seconds of two steps, and metres a
#: second above which a body goes.
STOOD, MOVING = 2.6, 0.15
#: Degrees by which a way back is bent to lead to the start, seconds over which it is, and how often one is tried.
HOMEWARD, HOMEWARD_SECONDS, BACK_TRIED = 60.0, 1.4, 5
WRISTS = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]
SCALED = 0.8  #: share of turns made as large as one of these


class Joiner:
    """Draws joined motions from plain recordings; the same recordings and generator give the same motions."""

    def __init__(self, recordings: Sequence[Recording], seed: int = 0) -> None:
        self.pieces = Pieces(recordings, seed)
        kinds = {kind: found for kind, found in self.pieces.kinds.items() if found}
        self.stand = "stand" in kinds
        self.names = sorted(set(kinds) - {"stand"})
        weight = np.array([sum(p.end - p.start for p in kinds[k]) ** 0.5 for k in self.names])
        weight *= [GAIT_WEIGHT if k.startswith(("walk", "run")) else 1.0 for k in self.names]
        self.weight = weight / weight.sum()
        self.scripts = Scripts(list(kinds))

    def draw(self, rng: np.random.Generator) -> Clip | None:
        """A motion, or None where nothing fits onto a piece."""
        return self.asked(rng) if rng.random() < ASKED else self.wander(rng, float(rng.uniform(4.0, 12.0)))

    def wander(self, rng: np.random.Generator, seconds: float) -> Clip | None:
        """A motion of about `seconds` that does one thing after another."""
        piece = self.pieces.draw(rng, self._kind(rng, None))
        parts = [_wandering(piece, self._entered(piece, rng), rng)]
        while sum(map(len, parts)) < seconds * FPS:
            for _ in range(KINDS_TRIED):
                kind = piece.kind if not piece.steady and rng.random() < AGAIN else self._kind(rng, piece)
                if (found := self._next(parts[-1], piece, kind, rng)) is not None:
                    break
            else:
                break
            parts[-1], piece, part = found
            parts.append(_wandering(piece, part, rng))
        return concatenate(*parts).canonical() if len(parts) > 1 else None

    def asked(self, rng: np.random.Generator) -> Clip | None:
        """A motion as people ask for it."""
        script = self.scripts.draw(rng)
        if script.arms and script.kinds == ("stand",):
            return self._gesture(rng) if self.pieces.gestures else None
        if script.held and (clip := self._acted(script.kinds, rng, held=True)) is not None:
            return linger(clip, *rng.uniform(*HOLD, size=2))
        kinds = script.kinds if script.way else self.scripts.among_standing(script.kinds, rng)
        if script.way == "back":
            tried = (self._acted(kinds, rng) for _ in range(BACK_TRIED))
            found = (returned(clip) for clip in tried if clip is not None)
            return next((clip for clip in found if clip is not None), None)
        clip = self._acted(kinds, rng)
        if clip is not None and script.kinds[0] == "few_steps" and kinds[-1] == "stand":
            clip = _stood(clip, float(rng.uniform(0.0, STOOD)))
        if clip is not None and script.way:
            clip = bend_path(clip, *(_corner if script.way == "corner" else _circle)(len(clip), rng))
        if clip is not None and script.arms and self.pieces.gestures:
            clip = self._with_arms_up(clip, rng)
        return clip

    def _acted(self, kinds: Sequence[str], rng: np.random.Generator, held: bool = False) -> Clip | None:
        """Pieces of these kinds in a row; `held`: from a calm pose to a calm pose. None where they do not fit."""
        piece = self.pieces.draw(rng, kinds[0])
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
        if self.stand and (before is None or before.kind != "stand") and rng.random() < STANDS:
            return "stand"
        return self.names[rng.choice(len(self.names), p=self.weight)]

    def _entered(
        self, piece: Piece, rng: np.random.Generator, at: int | None = None, stop: int | None = None
    ) -> Clip:
        """The piece from frame `at` on, with room to be left; steady ones cut, at times with other arms."""
        clip = self.pieces.clip(piece)
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
        if piece.steady and self.pieces.gestures and rng.random() < ARMED:
            side, arms = self._arms(rng)
            if len(arms) <= len(part):
                part = with_arms(part, arms, side, int(rng.integers(len(part) - len(arms) + 1)))
        return part

    def _with_arms_up(self, clip: Clip, rng: np.random.Generator) -> Clip:
        """The clip with an arm or both up for most of it."""
        side, arms = self._arms(rng)
        highest = int(arms.joints()[:, WRISTS, 2].max(-1).argmax())
        frames = round(len(clip) * float(rng.uniform(0.6, 1.0))) - len(arms)
        if frames > 0:
            arms = linger_at(arms, highest, frames)
        fits = len(arms) <= len(clip)
        return with_arms(clip, arms, side, int(rng.integers(len(clip) - len(arms) + 1))) if fits else clip

    def _gesture(self, rng: np.random.Generator) -> Clip:
        """Standing while arms are raised, held up or waved, and lowered; at times they are up at one end."""
        side, arms = self._arms(rng)
        wrists = [w for name, w in zip(("left", "right"), WRISTS, strict=True) if side in (name, "both")]
        top = int(arms.joints()[:, wrists, 2].min(-1).argmax())
        held = round(float(rng.uniform(*UP)) * FPS)
        arms = linger_at(arms, top, held)
        if held > WAVE * FPS and rng.random() < WAVED:
            arms = waving(arms, side, top, top + held, float(rng.uniform(*SWING)), float(rng.uniform(*BEATS)))
        body = self._entered(self.pieces.draw(rng, "stand"), rng)
        missing = max(0.0, (len(arms) - len(body)) / FPS)
        body = linger(body, *(missing / 2 + rng.uniform(0.1, HOLD[1] / 2, size=2)))
        start = int(rng.integers(len(body) - len(arms) + 1))
        clip = with_arms(body, arms, side, start)
        up = start + top
        if rng.random() < CUT:
            clip = clip.slice(0, up + held + 1) if rng.random() < 0.5 else clip.slice(up, len(clip))
        return clip.canonical()

    def _arms(self, rng: np.random.Generator) -> tuple[str, Clip]:
        """A gesture, mirrored or not, of one arm at times though both made it, and at times slower."""
        side, arms = self.pieces.gestures[rng.integers(len(self.pieces.gestures))]
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
        slack, inside = (0, REBOUND) if kind == piece.kind == "jump" else (SLACK, INSIDE)
        least = max(1, len(part) - SLACK - inside) if not piece.steady else max(2, len(part) - SLACK)
        least = min(least, len(part) - 1)
        leave = np.arange(least, max(least + 1, len(part) - SLACK + slack))
        here = pose_space(part)[leave]
        best: tuple[float, int, Piece, int] | None = None
        for _ in range(PIECES_TRIED):
            other = self.pieces.draw(rng, kind)
            if held and other.calm is None:
                continue
            if kind == piece.kind:  # once more with the same side
                other = replace(other, mirrored=piece.mirrored)
            enter = self.pieces.entries(other, slack, inside)
            cost = np.abs(here[:, None] - self.pieces.space(other)[enter][None]).mean(-1) * 3
            i, j = np.unravel_index(int(cost.argmin()), cost.shape)
            if cost[i, j] < FAR and (best is None or cost[i, j] < best[0]):
                best = (float(cost[i, j]), int(leave[i]), other, int(enter[j]))
        if best is None:
            return None
        _, leaving, other, entering = best
        stop = other.calm[1] if held and other.calm else None
        return part.slice(0, leaving), other, self._entered(other, rng, entering, stop)


def _tempo(kind: str, part: Clip, rng: np.random.Generator) -> float:
    """By how much faster to play a piece: few walks are slow or fast by themselves, though people ask for both."""
    if kind == "walk_forward" and rng.random() < PACED:
        pace = np.linalg.norm(np.diff(part.translation[:, :2], axis=0), axis=-1).mean() * part.fps
        return float(np.clip(rng.uniform(*PACES[rng.integers(2)]) / max(pace, 0.1), *FASTER))
    return float(rng.uniform(*SPEEDS)) if rng.random() < RETIMED else 1.0


def _wandering(piece: Piece, part: Clip, rng: np.random.Generator) -> Clip:
    """Walks and runs bent now and then."""
    if piece.kind.startswith(("walk_forward", "run_forward")) and rng.random() < BENT:
        return bend_path(part, *_bend(len(part), rng))
    return part


def _corner(frames: int, rng: np.random.Generator) -> tuple[float, int, int]:
    """Degrees of a corner, mostly a square one, and the frames over which to turn."""
    degrees = float(rng.choice((90.0, 180.0), p=(0.75, 0.25)) * rng.uniform(0.85, 1.15))
    span = min(frames - 1, round(degrees / rng.uniform(50.0, 85.0) * FPS))
    start = int(rng.integers(frames - span))
    return degrees * (1 if rng.random() < 0.5 else -1), start, start + span


def _circle(frames: int, rng: np.random.Generator) -> tuple[float, int, int]:
    """Degrees of going round all the time, and all frames."""
    degrees = float(rng.uniform(50.0, 80.0)) * frames / FPS
    return degrees * (1 if rng.random() < 0.5 else -1), 0, frames


def returned(clip: Clip) -> Clip | None:
    """The motion bent to come back, up to where it is nearest to its start again; None where that is not near."""
    way = clip.translation[:, :2] - clip.translation[0, :2]
    farthest = int(np.linalg.norm(way, axis=-1).argmax())
    home, back = -way[farthest], way[-1] - way[farthest]
    degrees = float(np.degrees(np.arctan2(back[0] * home[1] - back[1] * home[0], back @ home)))
    if abs(degrees) > HOMEWARD:
        return None
    half = round(HOMEWARD_SECONDS / 2 * FPS)
    clip = bend_path(clip, degrees, max(0, farthest - half), min(len(clip), farthest + half))
    away = np.linalg.norm(clip.translation[:, :2] - clip.translation[0, :2], axis=-1)
    farthest = int(away.argmax())
    nearest = farthest + int(away[farthest:].argmin())
    return clip.slice(0, nearest + 1) if away[nearest] < NEAR * away[farthest] else None


def _stood(clip: Clip, seconds: float) -> Clip:
    """The motion up to where it comes to rest, and that pose held; as it is where it never does."""
    s = signals(clip)
    goes = np.flatnonzero(s.speed > MOVING)
    calm = np.flatnonzero(calm_frames(s))
    calm = calm[calm > goes[-1]] if len(goes) else calm[:0]
    return linger(clip.slice(0, int(calm[0]) + 1), 0.0, seconds) if len(calm) else clip


def _bend(frames: int, rng: np.random.Generator) -> tuple[float, int, int]:
    """Degrees (positive to the left), and the frames over which to turn: at most about 50 degrees a second."""
    span = int(rng.integers(min(frames - 1, round(FPS)), frames))
    most = min(180.0, 50.0 * span / FPS)
    degrees = float(rng.uniform(min(25.0, most), most)) * (1 if rng.random() < 0.5 else -1)
    start = int(rng.integers(frames - span + 1))
    return degrees, start, start + span


def _share(amount: float, rng: np.random.Generator) -> float:
    """By how much to scale a turn of so many degrees, to be one that people ask for; 1 where none is near."""
    shares = [a / abs(amount) for a in ANGLES if reachable(a, amount)]
    return shares[rng.integers(len(shares))] if shares else 1.0


def join(recordings: Sequence[Recording], count: int, seed: int = 0) -> list[Recording]:
    """`count` joined recordings for training, from recordings of one split; fewer where few pieces meet."""
    rng = np.random.default_rng(seed)
    joiner = Joiner(recordings, seed)
    if not joiner.names:
        return []
    commercial = all(r.commercial is True for r in joiner.pieces.recordings)
    split = joiner.pieces.recordings[0].split
    found: list[Recording] = []
    for _ in range(4 * count):
        if len(found) == count:
            break
        clip = joiner.draw(rng)
        if clip is not None and len(clip) > 1.5 * FPS:
            name = f"joined-{len(found)}"
            found.append(Recording("joined", name, name, split, clip, commercial=commercial or None))
    return found
