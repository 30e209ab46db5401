"""`kmm retarget`: motions onto characters."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kmm.commands.common import Json, fail, one_sentence

Rigs = Annotated[
    list[Path],
    typer.Option("--rig", help="Character: a .blend, .fbx or .glb file. May be repeated."),
]
Armatures = Annotated[
    list[str] | None,
    typer.Option("--armature", help="Its armature's name, where the file has several. May be repeated."),
]
OneRig = Annotated[
    Path | None,
    typer.Option(help="Character to put it on: a .blend, .fbx or .glb file; then --out may be .blend, too."),
]
OneArmature = Annotated[
    str | None, typer.Option(help="The character's armature, where its file has several.")
]
Map = Annotated[
    str | None,
    typer.Option(
        "--map", help="Bone map: rigify, mixamo, ... or a .toml file; by default the one that fits."
    ),
]
Blender = Annotated[
    Path | None,
    typer.Option(help="The Blender to use; by default Blender as a Python module, or one that is found."),
]
RootMotion = Annotated[
    str, typer.Option(help="Who moves over the floor: follow, pelvis, root or 'in place' (nobody).")
]
Feet = Annotated[bool, typer.Option("--feet", help="Bend the legs so that the feet stand as they do.")]
Hands = Annotated[bool, typer.Option("--hands", help="Bend the arms so that the hands reach as they do.")]


def check_output(out: Path, rig: Path, map: str | None, fps: float | None, **others: object) -> None:
    """Raises ValueError for what cannot be written of a character, before any work is done.

    others: options for motions that are not on a character.
    """
    from kmm.characters import maps, tasks

    for name, value in others.items():
        if value is not None:
            raise ValueError(f"--{name} and --rig do not go together: the character has its own")
    if map is not None:
        maps.asked(map)
    tasks.plan([], [rig], out.parent, out.suffix.lower().removeprefix("."), tasks.Settings(fps=fps))
    if not out.parent.is_dir():
        raise ValueError(f"There is no folder {out.parent} to write {out.name} into.")


def retarget(
    clips: Annotated[
        list[Path], typer.Argument(help="Motions (.npz, .bvh, ...), or folders of them.", show_default=False)
    ],
    rig: Rigs,
    out: Annotated[Path, typer.Option(help="Folder for RIG/CLIP.FORMAT and report.jsonl.")],
    format: Annotated[str, typer.Option(help="What to write: blend, fbx, glb or bvh.")] = "blend",
    armature: Armatures = None,
    map: Map = None,
    root_motion: RootMotion = "follow",
    feet: Feet = False,
    hands: Hands = False,
    fps: Annotated[float | None, typer.Option(help="Frame rate; by default that of the rig's file.")] = None,
    blender: Blender = None,
    as_json: Json = False,
) -> None:
    """Put motions on characters. Run the same again after a break or a kill: what is done is not done again."""
    counts: Counter[str] = Counter()
    with one_sentence():
        from kmm import characters
        from kmm.retarget import Options

        outcomes = characters.retarget(
            clips,
            rig,
            out,
            format=format,
            armatures=tuple(armature or ()),
            bone_map=map,
            options=Options(root_motion=root_motion, feet=feet, hands=hands),  # type: ignore[arg-type]
            fps=fps,
            blender=blender,
        )
        for outcome in outcomes:
            print(json.dumps(asdict(outcome)) if as_json else outcome, flush=True)
            counts[outcome.status] += 1
    if not as_json:
        print(", ".join(f"{count} {status}" for status, count in sorted(counts.items(), reverse=True)))
    if counts["failed"]:
        fail(
            f"{counts['failed']} failed: see {out / 'report.jsonl'}. Run the same again to try them once more."
        )
