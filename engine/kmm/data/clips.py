"""A folder of motion files, npz and BVH, with a captions file beside them: whatever people have of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kmm import formats
from kmm.clip import FPS, Clip
from kmm.contacts import REST_HEIGHT
from kmm.data.records import DAMAGED, Caption, Recording, Recordings, captions, checked_split, words
from kmm.skeleton import CONTACT_JOINTS

CAPTIONS = "captions.jsonl"


def read_clips(folder: str | Path) -> Recordings:
    """Every npz and BVH under `folder`, resampled to 30 fps, feet on the floor.

    captions.jsonl in the folder has a line for each file that it says something of: {"file": path relative to folder,
    "texts": [{"text", "start", "end"}], "split", "trial", "commercial"}; all but "file" may be left out. Times are in
    seconds; a text without them is about the whole clip. A file without a line has the segments that kmm wrote into
    it, if any, as texts. ValueError if `folder` is not a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give the folder that holds npz and BVH files.")
    out = Recordings()
    described = _read_captions(folder / CAPTIONS, out.problems)
    seen = set()
    for path in motion_files(folder):
        name = path.relative_to(folder).as_posix()
        seen.add(name)
        row = described.get(name, {})
        try:
            clip = grounded(formats.load(path))
            out.items.append(
                Recording(
                    set=words("set", row.get("set", "clips")),
                    id=name,
                    trial=words("trial", row.get("trial", name)),
                    split=checked_split(row.get("split", "train")),
                    clip=clip,
                    texts=tuple(captions(row["texts"], len(clip))) if "texts" in row else _own(clip),
                    commercial=_commercial(row.get("commercial")),
                )
            )
        except DAMAGED as error:
            out.problems.append(f"{name}: {_reason(error, path)}")
    out.problems += [f"{name}: has captions but no motion file" for name in described if name not in seen]
    return out


def motion_files(folder: Path) -> list[Path]:
    """Every file under `folder` that may be a motion; AMASS keeps a shape.npz a subject, which is none."""
    return sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in (".npz", ".bvh") and p.name != "shape.npz"
    )


def grounded(clip: Clip) -> Clip:
    """A clip from a file at 30 fps, float32, moved up or down so that the lower foot is on the floor.

    The floor of a file is that of its subject, whose legs were not this skeleton's. ValueError for an empty one.
    """
    if len(clip) == 0:
        raise ValueError("it has no frames")
    clip = clip.resample(FPS)
    above = (clip.joints()[:, list(CONTACT_JOINTS), 2] - REST_HEIGHT).min(1)
    lowered = clip.transform(0.0, (0.0, 0.0, -float(np.percentile(above, 5))))
    return replace(
        lowered,
        translation=lowered.translation.astype(np.float32),
        rotations=lowered.rotations.astype(np.float32),
    )


def _commercial(value: object) -> bool | None:
    """Whether a captions row allows commercial use; without a word of it, or where it is "unclear", None."""
    if value is None or value == "unclear":
        return None
    if not isinstance(value, bool):
        raise ValueError(f"commercial must be true or false, not {value!r}")
    return value


def _own(clip: Clip) -> tuple[Caption, ...]:
    return tuple(Caption(s.prompt, s.start, s.end, "file") for s in clip.segments if s.start < s.end)


def _reason(error: Exception, path: Path) -> str:
    """What went wrong, without the file's name once more."""
    text = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return text.removeprefix(f"{path.name}: ").removeprefix(f"{path.name} is ")


def _read_captions(path: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    described = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            described[words("file", row["file"])] = row
        except DAMAGED as error:
            problems.append(f"{path.name} line {number}: not a captions row ({error})")
    return described
