"""Options of commands that write motions to files, and the body that they are put onto."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kmm.body import Body
    from kmm.clip import Clip

Fps = Annotated[float | None, typer.Option(help="Frames a second in the file; by default as the motion has.")]
Units = Annotated[str | None, typer.Option(help="m or cm; by default what is usual for the format.")]
Up = Annotated[str | None, typer.Option(help="Axis that points up, y or z; by default the format's.")]
Layout = Annotated[str | None, typer.Option(help="Of poses in .npz: smplh (as AMASS) or smplx (55 joints).")]
BodyFile = Annotated[
    Path | None,
    typer.Option(help="Your SMPL, SMPL-H or SMPL-X model file, to wear in place of the mannequin."),
]
Betas = Annotated[str | None, typer.Option(help='Shape of that body: "0.5,-1.2,...".')]

LockFeet = Annotated[bool, typer.Option("--lock-feet", help="Keep feet that stand from sliding.")]


def check_output(out: Path, fps: float | None, body: Path | None, **choices: str | None) -> None:
    """Raises ValueError for whatever cannot be of an output file, before any work is done."""
    from kmm import formats

    if fps is not None and not 0 < fps < 1e6:
        raise ValueError(f"--fps must be a positive number, not {fps:g}.")
    allowed = formats.choices(out)
    for name, value in choices.items():
        if value is not None and value not in allowed.get(name, ()):
            told = " or ".join(allowed.get(name, ()))
            raise ValueError(
                f"{out.name}: {name} must be {told}" if told else f"{out.name} has no {name} to choose"
            )
    if body is not None and out.suffix.lower() == ".npz":
        raise ValueError(f"{out.name}: npz files hold poses only, which are the same for every body")
    formats.check(out)
    if not out.parent.is_dir():
        raise ValueError(f"There is no folder {out.parent} to write {out.name} into.")


def load_body(model: Path | None, betas: str | None) -> Body | None:
    """The body to wear, None for the mannequin. Raises ValueError and OSError with a sentence."""
    if model is None:
        if betas is not None:
            raise ValueError("--betas are of a body: give its model file with --body.")
        return None
    from kmm import smpl

    try:
        numbers = [float(word) for word in betas.split(",")] if betas else []
    except ValueError:
        raise ValueError(f"--betas must be numbers with commas between, not {betas!r}.") from None
    return smpl.load(model, numbers)


def with_locked_feet(clip: Clip, body: Body | None) -> Clip:
    """The clip with feet that stand no longer sliding on this body, or on the mannequin."""
    from kmm.foot_lock import lock_feet
    from kmm.skeleton import REST_OFFSETS

    return lock_feet(clip, REST_OFFSETS if body is None else body.offsets)
