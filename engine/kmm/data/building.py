"""A training store: any layout that is read, written once in the project's own (see kmm.data.records).

What was checked, mended and brought to 30 fps need not be again, and one folder holds what came from many.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kmm import rotations as rot
from kmm.data.records import Recording


def build(recordings: Iterable[Recording], folder: str | Path) -> None:
    """Write `folder`: motion/<set>.npz, clips.jsonl and licenses.json.

    Angles are kept to 180/32767 degrees. FileExistsError if the folder holds something: nothing is overwritten.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: give a new folder for the training store.")
    (folder / "motion").mkdir(parents=True, exist_ok=True)
    sets: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        sets[recording.set].append(recording)
    with (folder / "clips.jsonl").open("w", encoding="utf-8") as lines:
        for name, members in sets.items():
            _write_motion(folder / "motion" / f"{name}.npz", members)
            for index, recording in enumerate(members):
                lines.write(json.dumps(_row(recording, index), ensure_ascii=False) + "\n")
    licences = {name: _licence(members) for name, members in sets.items()}
    (folder / "licenses.json").write_text(json.dumps(licences, indent=1), encoding="utf-8")


def _write_motion(path: Path, members: list[Recording]) -> None:
    poses = np.concatenate([rot.as_rotvec(r.clip.rotations).reshape(len(r.clip), -1) for r in members])
    length = np.array([len(r.clip) for r in members], np.int32)
    np.savez(
        path,
        poses=np.round(poses * (32767 / np.pi)).astype(np.int16),
        trans=np.concatenate([r.clip.translation for r in members]).astype(np.float32),
        start=np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int32),
        length=length,
    )


def _row(recording: Recording, index: int) -> dict[str, object]:
    fps = recording.clip.fps
    texts = [
        {"text": t.text, "start": t.start / fps, "end": t.end / fps, "origin": t.origin}
        for t in recording.texts
    ]
    return {
        "set": recording.set,
        "index": index,
        "id": recording.id,
        "trial": recording.trial,
        "split": recording.split,
        "fps": fps,
        "frames": len(recording.clip),
        "action": recording.action,
        "style": recording.style,
        "texts": texts,
        "natural_speed": True,
    }


def _licence(members: list[Recording]) -> dict[str, object]:
    """What licenses.json says of a set; where its recordings come from several, what each of them says."""
    said: dict[str, list[str]] = {}
    for recording in members:
        for key, value in recording.licence.items():
            if key != "commercial" and str(value) not in said.setdefault(key, []):
                said[key].append(str(value))
    return {"commercial": _commercial(members), **{key: "; ".join(values) for key, values in said.items()}}


def _commercial(members: list[Recording]) -> bool | str:
    """Of a set what holds for all of it: True only if every recording may be used so, False if one may not."""
    found = {r.commercial for r in members}
    return False if False in found else True if found == {True} else "unclear"
