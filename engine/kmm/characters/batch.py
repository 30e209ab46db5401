"""Running a batch: one Blender does task after task, and another goes on where one dies."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kmm import formats
from kmm.characters import report, worker
from kmm.characters.maps import asked
from kmm.characters.report import Outcome
from kmm.characters.tasks import Paths, Settings, Task, plan
from kmm.clip import Clip
from kmm.retarget import BoneMap, Options
from kmm.retarget.bone_map import to_toml


def retarget(
    clips: Paths,
    rigs: Paths,
    out: str | os.PathLike[str],
    *,
    format: str = "blend",
    armatures: Sequence[str] = (),
    bone_map: BoneMap | str | None = None,
    options: Options | None = None,
    fps: float | None = None,
    blender: str | os.PathLike[str] | None = None,
) -> Iterator[Outcome]:
    """Put every clip on every rig, as out/RIG/CLIP.FORMAT; gives what became of each as soon as it is known.

    clips: files that `kmm.formats` reads, BVH, FBX and glTF files of any humanoid, or folders of these. rigs: .blend,
    .fbx, .glb or .gltf files of one character each. format: "blend" (the rig's whole file with the motion), "fbx" or
    "glb" (the deforming bones, the skin and the motion) or "bvh" (the deforming bones and the motion). armatures:
    names, for files that have several. bone_map: a map, the name of a built-in one or a file; None for the one that
    fits the rig. fps: None for that of the rig's file. blender: its program, or a Python that can import bpy;
    None for this Python, if it can, or a Blender that is found.

    What is done and still of the same clip, rig and settings is kept. A failure, be it that Blender crashes, costs
    one task. out/report.jsonl has a line for each. Raises ValueError, with a sentence, or OSError for what cannot be
    begun, and BlenderError, a ValueError too, if there is no Blender that runs.
    """
    settings = _settings(armatures, bone_map, options, fps)
    tasks = plan(clips, rigs, Path(out), format, settings)
    return _run(tasks, settings, Path(out), Path(blender) if blender else None)


def write(
    clip: Clip,
    rig: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    armature: str | None = None,
    bone_map: BoneMap | str | None = None,
    options: Options | None = None,
    fps: float | None = None,
    blender: str | os.PathLike[str] | None = None,
) -> Outcome:
    """Put one clip on one character and write it to a file, whose suffix is .blend, .fbx, .glb or .bvh.

    The rest is as in `retarget`. Raises ValueError with a sentence, or OSError.
    """
    output = Path(output).absolute()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{output.stem}.npz"
        formats.save(clip, file)
        settings = _settings((armature,) if armature else (), bone_map, options, fps)
        (task,) = plan([file], [rig], output.parent, output.suffix.lower().removeprefix("."), settings)
        task = replace(task, output=output, name=output.name)
        (outcome,) = _work([task], settings, Path(blender) if blender else None)
    if outcome.status == "failed":
        raise ValueError(outcome.message)
    return outcome


def _settings(
    armatures: Sequence[str], bone_map: BoneMap | str | None, options: Options | None, fps: float | None
) -> Settings:
    if isinstance(bone_map, str):
        bone_map = asked(bone_map)
    text = None if bone_map is None else to_toml(bone_map)
    return Settings(tuple(armatures), text, options or Options(), fps)


def _run(tasks: list[Task], settings: Settings, out: Path, blender: Path | None) -> Iterator[Outcome]:
    before = report.read(out)
    outcomes = dict(before)
    out.mkdir(parents=True, exist_ok=True)
    left = []
    for task in tasks:
        task.partial.unlink(missing_ok=True)
        done = before.get(task.name)
        if done and done.status == "written" and done.key == task.key and task.output.is_file():
            yield replace(done, status="kept")
        else:
            left.append(task)
    for outcome in _work(left, settings, blender):
        outcomes[outcome.output] = outcome
        report.add(out, outcome)
        yield outcome
    report.write(out, outcomes.values())


def _work(left: list[Task], settings: Settings, blender: Path | None) -> Iterator[Outcome]:
    while left:
        tasks, left = left, []
        unfinished = dict(enumerate(tasks))
        at_fault: list[int] | None = None  # those to blame if Blender dies now; None until it has begun
        began = time.monotonic()
        for event in worker.run(tasks, settings, blender):
            match event:
                case {"rig": str(rig)}:
                    at_fault = [number for number, task in unfinished.items() if str(task.rig) == rig]
                case {"clip": int(clip)}:
                    at_fault, began = [clip], time.monotonic()
                case {"written": int(number), "frames": int(frames), "note": str(note)}:
                    at_fault = []
                    seconds = round(time.monotonic() - began, 3)
                    yield _outcome(unfinished.pop(number), "written", note, frames, seconds)
                case {"failed": int(number), "message": str(message)}:
                    at_fault = []
                    yield _outcome(unfinished.pop(number), "failed", message)
                case {"died": str(words)}:
                    if at_fault is None:
                        raise worker.BlenderError(words)
                    for number in at_fault:
                        yield _outcome(unfinished.pop(number), "failed", words)
        left = list(unfinished.values())


def _outcome(task: Task, status: str, message: str, frames: int = 0, seconds: float = 0.0) -> Outcome:
    return Outcome(task.name, status, str(task.clip), str(task.rig), task.key, frames, seconds, message)  # type: ignore[arg-type]
