"""Many clips onto many characters, one after the other, in one Blender; `kmm.characters` starts it and listens.

    blender -b --python batch.py -- JOB.json     or     python batch.py -- JOB.json

JOB.json: path (folders for Python to look in), addon (the folder of the add-on's package), tasks (each clip, rig,
output, partial; those of one rig together), armatures, bone_map (the text of its file, or null), options, fps. What
happens is said as lines of JSON after MARK: {"ready": ...}, {"rig": ...}, {"clip": i}, {"written": i, "frames": n,
"note": ...}, {"failed": i, "message": ...}, {"finished": true}.

Every clip finds the character as it is in its file, so that the result does not depend on what was done before.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import types
from itertools import groupby
from pathlib import Path
from typing import Any

import bpy

MARK = "KMM BATCH "


def say(**what: Any) -> None:
    """One line for `kmm.characters`; on a line of its own whatever Blender has just printed."""
    print(f"\n{MARK}{json.dumps(what)}", flush=True)


def main(job: dict[str, Any]) -> None:
    say(ready=bpy.app.version_string)
    numbered = list(enumerate(job["tasks"]))
    with tempfile.TemporaryDirectory() as folder:
        for rig, tasks in groupby(numbered, key=lambda item: item[1]["rig"]):
            say(rig=rig)
            one_rig(job, Path(rig), list(tasks), Path(folder))
    say(finished=True)


def one_rig(job: dict[str, Any], rig: Path, tasks: list[tuple[int, dict[str, str]]], folder: Path) -> None:
    from kmm.retarget import Options

    from blender_addon.pipeline.character_files import open_character
    from blender_addon.pipeline.sources import read

    try:
        armature = open_character(rig, job["armatures"])
        name = armature.name
        bone_map, note = chosen_map(job["bone_map"], armature)
        render, character = bpy.context.scene.render, rig
        fps = job["fps"] or render.fps / render.fps_base
        if rig.suffix.lower() != ".blend":
            character = folder / "character.blend"
            bpy.ops.wm.save_as_mainfile(filepath=str(character), copy=True)
    except Exception as error:
        for number, _ in tasks:
            say(failed=number, message=sentence(error))
        return
    for number, task in tasks:
        say(clip=number)
        try:
            source = read(Path(task["clip"]), fps)
            armature = open_character(character, [name])
            frames = one_clip(source, armature, bone_map, Options(**job["options"]), fps, task)
        except Exception as error:
            say(failed=number, message=sentence(error))
        else:
            say(written=number, frames=frames, note=note)


def one_clip(
    source: Any, armature: bpy.types.Object, bone_map: Any, options: Any, fps: float, task: dict[str, str]
) -> int:
    """How many frames were written."""
    from blender_addon.pipeline.character_files import save
    from blender_addon.retargeting.writing import Target, write

    if armature.animation_data:
        for track in armature.animation_data.nla_tracks:
            track.mute = True  # the clip alone moves the character
    target = Target(armature, source.rig, source.bone_map, bone_map, options)
    values = target(*source.pose(target.source_bones))
    write(armature, target, values, 1, Path(task["clip"]).stem)
    scene = bpy.context.scene
    if abs(scene.render.fps / scene.render.fps_base - fps) > 1e-6:
        scene.render.fps = max(round(fps), 1)
        scene.render.fps_base = scene.render.fps / fps
    scene.frame_start, scene.frame_end = 1, len(values)
    scene.frame_set(1)
    partial = Path(task["partial"])
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        save(armature, partial)
        os.replace(partial, task["output"])
    finally:
        partial.unlink(missing_ok=True)
    return len(values)


def chosen_map(asked: str | None, armature: bpy.types.Object) -> tuple[Any, str]:
    """The bone map for the armature, and what it lacks. ValueError says what does not fit."""
    from kmm.characters.maps import fitted
    from kmm.retarget.bone_map import parse

    from blender_addon.retargeting import rigs

    rig = rigs.read(armature)
    return (rigs.bone_map(armature, rig), "") if asked is None else fitted(parse(asked), rig)


def sentence(error: Exception) -> str:
    """One line for people; what is nobody's fault but ours is named by its kind."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
    sys.path.extend(job["path"])
    # The __init__ of these registers panels and talks to the engine, for which Blender would need more packages.
    for package, folder in (("blender_addon", "."), ("blender_addon.retargeting", "retargeting")):
        sys.modules[package] = without_init = types.ModuleType(package)
        without_init.__path__ = [str(Path(job["addon"], folder))]
    main(job)
