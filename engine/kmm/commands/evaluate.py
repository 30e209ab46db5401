"""`kmm evaluate`: measure what weights make."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kmm.commands.common import Device, Json, Weights, load_pipeline, one_sentence
from kmm.commands.known import known

app = typer.Typer(help="Measure what weights make.", no_args_is_help=True)
app.command("known")(known)


@app.command()
def directions(
    weights: Weights = "kmm-open",
    seeds: Annotated[int, typer.Option(min=1, help="How many motions to make of each prompt.")] = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Ask for motions in words that no training caption uses, and judge by physics whether they do as told."""
    with one_sentence():
        from kmm.evaluation import directions
        from kmm.evaluation.generating import generator

        pipeline = load_pipeline(weights, device)
        with _counted(None) as advance:
            tallies = directions.score(generator(pipeline, advance), range(seeds))
    if as_json:
        kinds = {
            kind: {"passed": t.passed, "asked": t.asked, "rate": t.rate.as_dict(), "never": t.never}
            for kind, t in tallies.items()
        }
        about = {"weights": pipeline.name, "sha256": pipeline.sha256, "seeds": seeds}
        print(json.dumps(about | {"kinds": kinds}))
    else:
        print(directions.table(tallies))


@app.command()
def motion(
    data: Annotated[Path, typer.Option(help="Folder of the training set.")],
    weights: Weights = "kmm-open",
    evaluator: Annotated[
        Path | None, typer.Option(help="A trained evaluator; by default the one that comes with kmm.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Whose sets to use; by default the recipe named as the weights.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, val or test; BABEL's papers use val.")] = "test",
    seeds: Annotated[int, typer.Option(min=1, help="How often to draw and generate.")] = 3,
    limit: Annotated[int, typer.Option(min=8, help="How many test segments a seed draws.")] = 256,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Compare generated with real motion of the same texts: fit to the text, variety, transitions, physics."""
    with one_sentence():
        pipeline = load_pipeline(weights, device)
        from kmm.evaluation import evaluator as judges
        from kmm.evaluation import motion
        from kmm.evaluation.generating import generator

        judge = judges.Judge(judges.load(evaluator or judges.shipped()))
        recordings = motion.split_of(recipe or pipeline.name, data, split)
        with _counted(None) as advance:
            judged = motion.evaluate(generator(pipeline, advance), judge, recordings, seeds, limit)
        reconstruction = motion.reconstruction(pipeline.tokenizer, recordings)
    if as_json:
        told = {k: {"generated": m.as_dict(), "real": r.as_dict()} for k, (m, r) in judged.figures.items()}
        about = {"weights": pipeline.name, "sha256": pipeline.sha256, "seeds": seeds}
        about |= {"segments": judged.segments[0], "transitions": judged.transitions[0]}
        print(json.dumps(about | {"figures": told, "tokenizer": reconstruction}))
    else:
        print(motion.table(judged))
        print(f"tokenizer, {split} split:", ", ".join(f"{k} {v:.4g}" for k, v in reconstruction.items()))


@app.command()
def long(
    weights: Weights = "kmm-open",
    prompts: Annotated[int, typer.Option(min=1, help="How many prompts, of ten seconds each.")] = 60,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """One motion of many prompts, measured minute by minute: does it decay?"""
    with one_sentence():
        from kmm.evaluation import long
        from kmm.evaluation.generating import generator

        pipeline = load_pipeline(weights, device)
        with _counted(prompts + 1) as advance:
            minutes = long.evaluate(generator(pipeline, advance), prompts, seed)
    if as_json:
        about = {"weights": pipeline.name, "sha256": pipeline.sha256, "seed": seed}
        print(json.dumps(about | {"minutes": [asdict(m) for m in minutes]}))
    else:
        print(long.table(minutes))


@contextlib.contextmanager
def _counted(total: int | None) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, and the function to call for every motion made."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), "motions", MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("motions", total=total)
        yield lambda: bar.update(task, advance=1)
