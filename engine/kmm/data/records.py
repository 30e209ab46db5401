"""Recordings: motion clips with their texts and licence, and the reader of the project's own training set.

That is `motion/<set>.npz`, `clips.jsonl` and `licenses.json`; `kmm.data.folders` reads other layouts too. Whatever
cannot be read is reported with the reason, never dropped silently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kmm import rotations as rot
from kmm.clip import FPS, Clip
from kmm.data.retiming import WINDOW, natural_speed
from kmm.skeleton import PARENTS

SPLITS = ("train", "val", "test")
JOINTS = len(PARENTS)
#: What reading a row of another form than expected raises; each reader turns it into a problem.
DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Caption:
    """What frames [start, end) of a clip show; `origin` says who wrote it, `kind` is a coarse label of the action."""

    text: str
    start: int
    end: int
    origin: str
    kind: str = "own"


@dataclass(frozen=True)
class Recording:
    """One motion with its texts.

    commercial: what its licence allows, True, False or None for unclear. licence: what licenses.json says of its set
    (license, attribution, source), for whoever passes the motion on.
    """

    set: str
    id: str
    trial: str
    split: str
    clip: Clip
    texts: tuple[Caption, ...] = ()
    commercial: bool | None = None
    action: str | None = None
    style: str | None = None
    licence: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Recordings(Sequence[Recording]):
    """Recordings, `problems`: "file: reason" for everything that could not be read, and what was `mended`."""

    items: list[Recording] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.items)


def commercial_only(recordings: Iterable[Recording]) -> list[Recording]:
    """Those whose licence clearly allows commercial use; unclear counts as no."""
    return [r for r in recordings if r.commercial is True]


def in_split(recordings: Iterable[Recording], split: str) -> list[Recording]:
    """Those of one split: "train", "val" or "test"."""
    return [r for r in recordings if r.split == split]


def read_shared(folder: str | Path, sets: Iterable[str] | None = None) -> Recordings:
    """Read the training set's layout; `sets` limits it to some sets.

    Raises ValueError when the folder has no clips.jsonl or a wanted set is not in it.
    """
    folder = Path(folder)
    index = folder / "clips.jsonl"
    if not index.is_file():
        raise ValueError(f"{folder} has no clips.jsonl; give the folder that holds clips.jsonl and motion/.")
    out = Recordings()
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            rows.setdefault(words("set", row["set"]), []).append(row)
        except DAMAGED as error:
            out.problems.append(f"{index.name} line {number}: not a clip ({error})")
    licences = _read_licences(folder / "licenses.json", out.problems)
    wanted = list(rows) if sets is None else list(sets)
    for name in wanted:
        if name not in rows:
            raise ValueError(f"{folder} has no set {name!r}; it has {', '.join(sorted(rows))}.")
        _read_set(folder / "motion" / f"{name}.npz", rows[name], licences.get(name, {}), out)
    return out


def _read_licences(path: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {name: {"commercial": entry["commercial"], **entry} for name, entry in entries.items()}
    except DAMAGED as error:
        problems.append(f"{path.name}: no licences known, commercial use counts as unclear ({error})")
        return {}


def _read_set(path: Path, rows: list[dict[str, Any]], licence: dict[str, Any], out: Recordings) -> None:
    allows = licence.get("commercial")
    commercial = allows if isinstance(allows, bool) else None  # "unclear" is neither True nor False
    try:
        with np.load(path) as arrays:
            poses, trans, start, length = (arrays[k] for k in ("poses", "trans", "start", "length"))
    except Exception as error:  # a damaged zip can fail in any layer below
        out.problems.append(f"{path.name}: it cannot be read ({error})")
        return
    for row in rows:
        try:
            first, count = int(start[row["index"]]), int(length[row["index"]])
            rows_of_clip = slice(first, first + count)
            rotvec = poses[rows_of_clip].astype(np.float32) * np.float32(np.pi / 32767)
            clip = _clip(rotvec, trans[rows_of_clip], float(row.get("fps", FPS)))
            texts = tuple(captions(row["texts"], len(clip)))
            if row["set"] == "cmu" and len(clip) == WINDOW and not row.get("natural_speed"):
                clip = natural_speed(clip, row["action"])
                texts = tuple(
                    replace(t, start=0, end=len(clip)) for t in texts
                )  # they are about the whole window
            out.items.append(
                Recording(
                    set=row["set"],
                    id=words("id", row["id"]),
                    trial=words("trial", row["trial"]),
                    split=checked_split(row["split"]),
                    clip=clip,
                    texts=texts,
                    commercial=commercial,
                    action=_optional_words("action", row.get("action")),
                    style=_optional_words("style", row.get("style")),
                    licence=licence,
                )
            )
        except DAMAGED as error:
            out.problems.append(f"{path.name} clip {row.get('id', row.get('index'))}: {error}")


def words(name: str, value: object) -> str:
    """The value of a field that holds words, or a ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be words, not {value!r}")
    return value


def _optional_words(name: str, value: object) -> str | None:
    return None if value is None else words(name, value)


def checked_split(name: str) -> str:
    """The name of a split, or a ValueError."""
    if name not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {name!r}")
    return name


def _clip(rotvec: np.ndarray, trans: np.ndarray, fps: float) -> Clip:
    if rotvec.ndim != 2 or rotvec.shape[1] != JOINTS * 3:
        raise ValueError(f"poses must have at least {JOINTS * 3} columns, got shape {rotvec.shape}")
    if len(rotvec) == 0:
        raise ValueError("no frames")
    if not (np.isfinite(rotvec).all() and np.isfinite(trans).all()):
        raise ValueError("numbers that are not finite")
    rotations = rot.from_rotvec(rotvec.reshape(-1, JOINTS, 3).astype(np.float32))
    return Clip(np.asarray(trans, np.float32), rotations, fps)


def captions(entries: Iterable[dict[str, Any]], frames: int) -> Iterator[Caption]:
    """Captions of {"text", "start", "end", "origin"}, times in seconds; without times about all `frames`."""
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError(
                f'a text must be {{"text": words}} with "start" and "end" if need be, not {entry!r}'
            )
        text = words("text", entry["text"]).strip()
        start = round(float(entry.get("start", 0.0)) * FPS)
        end = min(frames, round(float(entry.get("end", frames / FPS)) * FPS))
        # times are rounded to hundredths of a second: the last frame may be missing by rounding
        end = frames if frames - end <= 1 else end
        if text and start < end:
            yield Caption(text, start, end, entry.get("origin", "captions"))
