"""AMASS with the annotations that others made for it: BABEL's frame-level labels and HumanML3D's sentences.

AMASS, BABEL and HumanML3D are for non-commercial research; whoever has them brings them. All three name the same
files in slightly different ways, see `Library`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kmm import formats
from kmm.clip import FPS, Clip
from kmm.data.clips import grounded, motion_files
from kmm.data.records import DAMAGED, SPLITS, Caption, Recording, Recordings, captions, words

#: What AMASS calls its subsets on its web page -> the folders they unpack to, where these differ.
UNPACKED = {
    "BMLrub": "BioMotionLab_NTroje", "DFaust": "DFaust_67", "HDM05": "MPI_HDM05", "PosePrior": "MPI_Limits",
    "MoSh": "MPI_mosh", "Mosh": "MPI_mosh", "SSM": "SSM_synced", "TCDHands": "TCD_handMocap",
    "Transitions": "Transitions_mocap",
}  # fmt: skip
#: Labels of BABEL that are no action to ask for.
NO_ACTION = {"transition", "t-pose", "a-pose", "t pose", "a pose", "tpose", "apose"}
#: HumanML3D counts frames at 20 fps, after having cut this many seconds off the start of these subsets' files.
HUMANML3D_FPS = 20.0
HUMANML3D_CUT = {"Eyes_Japan_Dataset": 3.0, "MPI_HDM05": 3.0, "TotalCapture": 1.0, "MPI_Limits": 1.0,
                 "Transitions_mocap": 0.5}  # fmt: skip
INDEX = ("source_path", "start_frame", "end_frame", "new_name")  #: columns of HumanML3D's index.csv

Key = tuple[str, ...]


def key(path: str | Path) -> Key:
    """(subset, subject, file) of an AMASS motion in whatever way it is written: folder names of either kind, blanks
    or underscores, with _poses (SMPL-H) or _stageii (SMPL-X) at the end."""
    parts = Path(str(path).replace(" ", "_")).with_suffix("").parts[-3:]
    stem = parts[-1].removesuffix("_poses").removesuffix("_stageii")
    return (UNPACKED.get(parts[0], parts[0]).lower(), *(p.lower() for p in (*parts[1:-1], stem)))


class Library:
    """The motion files of an AMASS folder, found by the names that annotations have for them."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(f"{folder} is not a folder; give the folder that holds AMASS's subsets.")
        self.files = {key(path): path for path in motion_files(self.folder)}
        if not self.files:
            raise ValueError(f"{folder} holds no npz file; give the folder that holds AMASS's subsets.")

    def load(self, name: str) -> tuple[Clip, float]:
        """The motion that annotations call `name`, at 30 fps, and the file's own rate.

        FileNotFoundError if it is not there, ValueError if it is damaged.
        """
        path = self.files.get(key(name))
        if path is None:
            raise FileNotFoundError("there is no such motion in the AMASS folder")
        clip = formats.load(path)
        return grounded(clip), clip.fps


def read_babel(amass: str | Path, babel: str | Path) -> Recordings:
    """A recording for each motion of BABEL's train.json, val.json and test.json, with the split of the file.

    Frame labels (`proc_label`) become timed captions; where there are none, the sequence's label is about all of it.
    extra_train.json and extra_val.json add theirs. ValueError if there is none of these files in `babel`.
    """
    library, out = Library(amass), Recordings()
    rows: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    read = 0
    for split in SPLITS:
        for path in (Path(babel) / f"{split}.json", Path(babel) / f"extra_{split}.json"):
            if not path.is_file():
                continue
            read += 1
            for sid, row in _json(path, out.problems).items():
                rows.setdefault(str(sid), (split, []))[1].append(row)
    if not read:
        raise ValueError(f"{babel} has no train.json, val.json or test.json of BABEL.")
    for sid, (split, entries) in rows.items():
        name = ""
        try:
            if not all(isinstance(row, dict) for row in entries):
                raise ValueError("it is not an annotation of BABEL's")
            name = words("feat_p", entries[0]["feat_p"])
            clip, _ = library.load(name)
            texts = tuple(caption for row in entries for caption in _babel_captions(row, len(clip)))
            out.items.append(Recording("babel", sid, "/".join(key(name)), split, clip, texts, False))
        except DAMAGED as error:
            out.problems.append(f"BABEL {sid} {name}: {_reason(error)}")
    return out


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        problems.append(f"{path.name}: it is not JSON ({error})")
        return {}
    if not isinstance(rows, dict):
        problems.append(f"{path.name}: it is not BABEL's: a mapping from numbers to annotations is expected")
        return {}
    return rows


def _babel_captions(row: dict[str, Any], frames: int) -> Iterator[Caption]:
    """Of one annotation (`frame_ann`, `seq_ann`), or of several as the extra files have them."""
    dense = [a for a in (row.get("frame_ann"), *(row.get("frame_anns") or ())) if a]
    whole = [a for a in (row.get("seq_ann"), *(row.get("seq_anns") or ())) if a]
    for annotation in dense or whole:
        labels = [
            {"text": x["proc_label"], "start": x["start_t"], "end": x["end_t"], "origin": "babel"}
            if dense
            else {"text": x["proc_label"], "origin": "babel"}
            for x in annotation["labels"]
            if x["proc_label"] and words("proc_label", x["proc_label"]).strip().lower() not in NO_ACTION
        ]
        yield from captions(labels, frames)


def read_humanml3d(amass: str | Path, humanml3d: str | Path) -> Recordings:
    """A recording for each clip of HumanML3D's index.csv that is from AMASS, with its sentences and its split.

    `humanml3d` holds index.csv, texts/, train.txt, val.txt and test.txt (or a folder HumanML3D that does). Mirrored
    clips are left to training, which mirrors everything. ValueError if files are missing.
    """
    library, out = Library(amass), Recordings()
    index, texts, splits = _humanml3d_files(Path(humanml3d))
    sources: dict[str, list[dict[str, str]]] = {}
    foreign = 0
    rows = csv.DictReader(index.read_text(encoding="utf-8").splitlines())
    for row in rows:
        missing = [name for name in INDEX if not row.get(name)]
        if missing:
            out.problems.append(f"HumanML3D index.csv line {rows.line_num}: it has no {', '.join(missing)}")
        elif "humanact12" in row["source_path"].lower():
            foreign += 1
        else:
            sources.setdefault(row["source_path"], []).append(row)
    if foreign:
        out.problems.append(
            f"HumanML3D: {foreign} clips are of HumanAct12, which has no SMPL poses; left out"
        )
    for source, entries in sources.items():
        try:
            clip, rate = library.load(source)
        except (OSError, ValueError) as error:
            out.problems += [f"HumanML3D {e['new_name']} {source}: {_reason(error)}" for e in entries]
            continue
        for row in entries:
            number = Path(row["new_name"]).stem
            try:
                part = _humanml3d_part(clip, rate, row)
                lines = (texts / f"{number}.txt").read_text(encoding="utf-8").splitlines()
                found = tuple(captions(_sentences(lines), len(part)))
                trial = "/".join(key(source))
                out.items.append(Recording("humanml3d", number, trial, splits[number], part, found, False))
            except (OSError, ValueError, KeyError) as error:
                unlisted = "it is in none of train.txt, val.txt and test.txt"
                why = unlisted if isinstance(error, KeyError) else _reason(error)
                out.problems.append(f"HumanML3D {number} {source}: {why}")
    return out


def _humanml3d_files(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """index.csv, the folder of texts, and clip -> split."""
    inner = folder / "HumanML3D" if (folder / "HumanML3D").is_dir() else folder
    index, texts = folder / "index.csv", inner / "texts"
    lists = {split: inner / f"{split}.txt" for split in SPLITS}
    missing = [p for p in (index, texts, *lists.values()) if not p.exists()]
    if missing:
        names = ", ".join(str(p.relative_to(folder)) for p in missing)
        raise ValueError(f"{folder} is not HumanML3D: it has no {names}.")
    splits = {name: split for split, path in lists.items() for name in path.read_text().split()}
    return index, texts, splits


def _humanml3d_part(clip: Clip, rate: float, row: dict[str, str]) -> Clip:
    """The frames that a row of index.csv is about; an end of -1 is the file's.

    rate: the file's own; HumanML3D takes every n-th frame, n = rate / 20 rounded down, and calls that 20 fps.
    """
    cut = HUMANML3D_CUT.get(Path(row["source_path"]).parts[-3], 0.0) * HUMANML3D_FPS
    start, end = int(row["start_frame"]), int(row["end_frame"])
    step = max(1, int(rate / HUMANML3D_FPS))

    def frame(number: int) -> int:
        return round((cut + number) * step / rate * FPS)

    part = clip.slice(frame(start), len(clip) if end < 0 else min(len(clip), frame(end)))
    if len(part) < 2:
        raise ValueError(f"frames {start} to {end} are not in the motion, which lasts {clip.seconds:.1f} s")
    return part


def _sentences(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Lines "sentence#tagged words#from#to", seconds; 0.0 to 0.0 is all of the clip, and some say nan for it."""
    for line in lines:
        if not line.strip():
            continue
        text, _, start, end = line.strip().split("#")
        times = [0.0 if np.isnan(float(t)) else float(t) for t in (start, end)]
        entry: dict[str, Any] = {"text": text, "origin": "humanml3d"}
        yield entry if times == [0.0, 0.0] else entry | {"start": times[0], "end": times[1]}


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
