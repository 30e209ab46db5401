"""What a batch has to do: each clip onto each rig, and whether that is done already."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kmm import formats
from kmm.retarget import Options
from kmm.retarget.retargeter import ROOT_MOTIONS

#: What a retargeted motion can be written as.
FORMATS: tuple[str, ...] = ("blend", "fbx", "glb", "bvh")

#: Files that can hold a motion.
CLIPS: tuple[str, ...] = (*formats.READABLE, ".fbx")

#: Files that can hold a character.
RIGS: tuple[str, ...] = (".blend", ".fbx", ".glb", ".gltf")


@dataclass(frozen=True)
class Settings:
    """What holds for all tasks. bone_map: text of its file, None for the one that fits. fps: None for the rig's."""

    armatures: tuple[str, ...] = ()
    bone_map: str | None = None
    options: Options = field(default_factory=Options)
    fps: float | None = None


@dataclass(frozen=True)
class Task:
    """One clip onto one rig. name: of the output in the batch's folder, as in the report."""

    clip: Path
    rig: Path
    output: Path
    name: str
    #: tells whether what is there was made of the same clip, rig and settings
    key: str

    @property
    def partial(self) -> Path:
        """Where the output is until it is whole; beside it, since a .blend file refers to others from its folder."""
        return self.output.with_name(f".partial-{self.output.name}")


Paths = Sequence[str | os.PathLike[str]]


def plan(clips: Paths, rigs: Paths, out: Path, format: str, settings: Settings) -> list[Task]:
    """The tasks in order, those of one rig together: out/RIG/CLIP.FORMAT. ValueError for what cannot be done."""
    if format not in FORMATS:
        raise ValueError(f"{format!r} is not a format to write: choose {_listed(FORMATS)}")
    if settings.fps is not None and not settings.fps > 0:
        raise ValueError(f"The frame rate must be positive, got {settings.fps:g}")
    if settings.options.root_motion not in ROOT_MOTIONS:
        raise ValueError(f"Root motion is {_listed(ROOT_MOTIONS)}, not {settings.options.root_motion!r}")
    found, tasks = list(_clips(clips)), []
    said = json.dumps(asdict(settings), sort_keys=True)
    for rig in map(Path, rigs):
        if rig.suffix.lower() not in RIGS:
            raise ValueError(f"{rig}: a character must be a {_listed(RIGS)} file")
        if not rig.is_file():
            raise ValueError(f"There is no file {rig}")
        for clip, place in found:
            name = (Path(rig.stem) / place).with_suffix(f".{format}").as_posix()
            key = hashlib.sha256(f"{said}{_stamp(clip)}{_stamp(rig)}".encode()).hexdigest()[:16]
            tasks.append(Task(clip.absolute(), rig.absolute(), (out / name).absolute(), name, key))
    twice = {task.name for task in tasks if sum(t.name == task.name for t in tasks) > 1}
    for name in sorted(twice):
        first, second = [task for task in tasks if task.name == name][:2]
        both = (
            f"{first.clip} and {second.clip}" if first.rig == second.rig else f"{first.rig} and {second.rig}"
        )
        raise ValueError(
            f"{both} would both be written to {name}; rename one, or give the clips' common folder"
        )
    return tasks


def job(tasks: Iterable[Task], settings: Settings) -> dict[str, Any]:
    """What the Blender side is told."""
    return asdict(settings) | {
        "tasks": [{p: str(getattr(t, p)) for p in ("clip", "rig", "output", "partial")} for t in tasks]
    }


def _clips(paths: Paths) -> Iterable[tuple[Path, Path]]:
    """Files with their place under the output's folder; those of a folder keep theirs."""
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in CLIPS and p.is_file())
            if not inside:
                raise ValueError(f"There are no clips in {path}: they are {_listed(CLIPS)} files")
            yield from ((p, p.relative_to(path)) for p in inside)
        elif not path.is_file():
            raise ValueError(f"There is no file or folder {path}")
        elif path.suffix.lower() not in CLIPS:
            raise ValueError(f"{path}: a clip must be a {_listed(CLIPS)} file")
        else:
            yield path, Path(path.name)


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"|{path.name}|{stat.st_size}|{stat.st_mtime_ns}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
