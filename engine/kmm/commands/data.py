"""`kmm data`: what there is to train on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kmm.commands.common import Json, one_sentence

app = typer.Typer(help="Motion to train on.", no_args_is_help=True)
Folder = Annotated[
    Path, typer.Argument(help="Folder of motion and texts, in any layout that kmm reads.", show_default=False)
]


@app.command()
def check(folder: Folder, as_json: Json = False) -> None:
    """List what is read from a folder, and every file that is not with the reason; exit code 1 if there is one."""
    with one_sentence():
        from kmm.data import folders

        found = folders.read(folder)
        sets = folders.summary(found)
    if as_json:
        print(json.dumps({"sets": sets, "problems": found.problems, "mended": found.mended}))
    else:
        print(folders.table(sets))
        print("".join(f"{line}\n" for line in [*found.problems, *found.mended]), end="")
    if found.problems:
        raise typer.Exit(1)


@app.command()
def build(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder to write: new or empty.")],
    as_json: Json = False,
) -> None:
    """Write all that can be read from a folder as one training store, checked and mended; list what can not."""
    with one_sentence():
        from kmm.data import building, folders

        found = folders.read(folder)
        building.build(found, out)
        sets = folders.summary(found)
    if as_json:
        print(
            json.dumps({"store": str(out), "sets": sets, "problems": found.problems, "mended": found.mended})
        )
    else:
        print(folders.table(sets))
        print("".join(f"{line}\n" for line in [*found.problems, *found.mended]), end="")
        print(f"Written: {out}")
