"""`kmm convert`: a motion file as one of another format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmm.commands.common import Json, one_sentence
from kmm.commands.files import (
    Betas,
    BodyFile,
    Fps,
    Layout,
    LockFeet,
    Units,
    Up,
    check_output,
    load_body,
    with_locked_feet,
)

if TYPE_CHECKING:
    from kmm.clip import Clip


def convert(
    source: Annotated[Path, typer.Argument(help="Motion to read: .npz .bvh .json .glb .gltf .usd .fbx")],
    out: Annotated[Path, typer.Argument(help="File to write; its suffix names the format, as above.")],
    fps: Fps = None,
    units: Units = None,
    up: Up = None,
    layout: Layout = None,
    body: BodyFile = None,
    betas: Betas = None,
    lock_feet: LockFeet = False,
    as_json: Json = False,
) -> None:
    """Write a motion in another format; BVH files of other humanoids are retargeted to SMPL's body."""
    with one_sentence():
        from kmm import formats

        check_output(out, fps, body, units=units, up=up, layout=layout)
        wearing = load_body(body, betas)
        clip, retargeted = _read(source)
        clip = with_locked_feet(clip, wearing) if lock_feet else clip
        clip = clip if fps is None else clip.resample(fps)
        formats.save(clip, out, units=units, up=up, layout=layout, body=wearing)
    if as_json:
        told = {"file": str(out), "frames": len(clip), "fps": clip.fps, "retargeted": retargeted}
        print(json.dumps(told))
    else:
        how = ", retargeted to SMPL's body" if retargeted else ""
        print(f"{out}: {len(clip)} frames at {clip.fps:g} fps ({clip.seconds:.1f} s){how}")


def _read(path: Path) -> tuple[Clip, bool]:
    """The motion, and whether it was of another body."""
    from kmm import formats

    try:
        return formats.load(path), False
    except ValueError:
        if path.suffix.lower() != ".bvh":
            raise
        from kmm.formats.bvh_parser import parse
        from kmm.retarget import bvh

        try:
            parsed = parse(path.read_bytes().decode("utf-8-sig", errors="replace"))
            return bvh.to_clip(parsed), True
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
