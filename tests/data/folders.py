"""Small folders in the layouts that people have, made from procedural figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from kmm import rotations as rot
from kmm.clip import Clip

from .figures import walk


def row(name: str, **changes: Any) -> dict[str, Any]:
    """A clips.jsonl row for a walk of two seconds."""
    texts = [{"text": f"a person walks as {name}.", "start": 0, "end": 2.0, "origin": "file-name"}]
    return {"set": "small", "index": 0, "id": name, "fps": 30, "frames": 60, "action": "walk", "style": None,
            "texts": texts, "split": "train", "trial": name} | changes  # fmt: skip


def shared(folder: Path, rows: list[dict[str, Any]], clips: dict[str, list[Clip]] | None = None) -> Path:
    """The training set's layout: the rows given, each set's clips (two walks by default), licences."""
    clips = clips or {name: [walk(1.2, 2.0), walk(0.8, 2.0)] for name in {r["set"] for r in rows}}
    (folder / "motion").mkdir(parents=True)
    for name, motions in clips.items():
        poses = np.concatenate([rot.as_rotvec(c.rotations).reshape(len(c), 66) for c in motions])
        length = np.array([len(c) for c in motions], np.int32)
        np.savez(
            folder / "motion" / f"{name}.npz",
            poses=np.round(poses * 32767 / np.pi).astype(np.int16),
            trans=np.concatenate([c.translation for c in motions]).astype(np.float32),
            start=np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int32),
            length=length,
        )
    (folder / "clips.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    licences = {
        "small": {"commercial": True, "license": "CC BY 4.0", "attribution": "Somebody", "source": "here"},
        "closed": {"commercial": False},
        "vague": {"commercial": "unclear"},
    }
    (folder / "licenses.json").write_text(json.dumps(licences))
    return folder
