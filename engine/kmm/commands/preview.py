"""`kmm preview`: a motion file as a film or a picture, without Blender."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kmm.commands.common import Json, fail, one_sentence


def preview(
    source: Annotated[Path, typer.Argument(help="Motion to show: .npz .bvh .json .glb .gltf .usd .fbx")],
    out: Annotated[Path, typer.Option(help="File to write: a film .mp4 or .gif, or a film strip .png.")],
    bodies: Annotated[int, typer.Option(min=1, max=16, help="How many bodies a film strip has.")] = 8,
    as_json: Json = False,
) -> None:
    """Show a motion: the mannequin, its way seen from above, and when its feet are on the floor."""
    with one_sentence():
        from kmm import formats
        from kmm.film import film
        from kmm.preview import film_strip

        if out.suffix.lower() not in (".mp4", ".gif", ".png"):
            fail(f"{out}: the suffix names the kind; it must be .mp4, .gif or .png.")
        if not out.parent.is_dir():
            fail(f"There is no folder {out.parent} to write {out.name} into.")
        clip = formats.load(source)
        if out.suffix.lower() == ".png":
            title = ", ".join(segment.prompt for segment in clip.segments) or source.stem
            film_strip(clip, out, bodies, title, contacts=True)
        else:
            film(clip, out)
    if as_json:
        print(json.dumps({"file": str(out), "frames": len(clip), "fps": clip.fps, "seconds": clip.seconds}))
    else:
        print(f"{out}: {clip.seconds:.1f} s of motion")
