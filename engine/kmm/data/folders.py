"""Recordings from a folder, whatever layout it has, and a report of what was read from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from kmm.data.amass import read_babel, read_humanml3d
from kmm.data.clips import motion_files, read_clips
from kmm.data.records import SPLITS, Recordings, read_shared
from kmm.data.repairs import repaired
from kmm.data.trials import apart

LAYOUTS = (
    "clips.jsonl and motion/ (the project's training set); amass/ with babel/ or humanml3d/ or both beside it; or "
    "npz and BVH files with captions.jsonl"
)


def read(folder: str | Path) -> Recordings:
    """All recordings of a folder; no trial is in two splits, whatever its layouts call it.

    Layouts, which may be together in one folder but for the last: LAYOUTS. ValueError if it has none of them.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}: give one that has {LAYOUTS}.")
    parts: list[Recordings] = []
    if (folder / "clips.jsonl").is_file():
        parts.append(read_shared(folder))
    if (folder / "amass").is_dir():
        for name, reader in (("babel", read_babel), ("humanml3d", read_humanml3d)):
            if (folder / name).is_dir():
                parts.append(reader(folder / "amass", folder / name))
    if not parts and motion_files(folder):
        parts.append(read_clips(folder))
    if not parts:
        raise ValueError(f"{folder} holds no training data: it must have {LAYOUTS}.")
    together = Recordings([r for p in parts for r in p.items], [x for p in parts for x in p.problems])
    return _repaired(apart(together))


def _repaired(recordings: Recordings) -> Recordings:
    """Impossible rotations mended, and listed."""
    out = Recordings(problems=list(recordings.problems))
    for recording in recordings:
        clip, mended = repaired(recording.clip)
        out.items.append(replace(recording, clip=clip) if mended else recording)
        out.mended += [f"{recording.set} {recording.id}: {what}" for what in mended]
    return out


def summary(recordings: Recordings) -> list[dict[str, object]]:
    """A row a set: clips, minutes, captions, clips without captions, clips a split, and what its licence allows."""
    rows = []
    for name in sorted({r.set for r in recordings}):
        members = [r for r in recordings if r.set == name]
        splits = Counter(r.split for r in members)
        commercial = {True: "yes", False: "no", None: "unclear"}
        rows.append(
            {
                "set": name,
                "clips": len(members),
                "minutes": round(sum(r.clip.seconds for r in members) / 60, 1),
                "captions": sum(len(r.texts) for r in members),
                "without captions": sum(not r.texts for r in members),
                **{split: splits[split] for split in SPLITS},
                "commercial": "/".join(sorted({commercial[r.commercial] for r in members})),
            }
        )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The summary as lines of text."""
    heads = list(rows[0]) if rows else ["nothing could be read"]
    lines = [heads, *([str(row[h]) for h in heads] for row in rows)]
    widths = [max(len(line[c]) for line in lines) for c in range(len(heads))]
    return "\n".join(
        "  ".join(x.ljust(w) for x, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )
