"""The command line. Every command imports what it needs itself, so that `kmm --help` does not wait for torch."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

try:
    import typer
except ImportError:
    sys.exit("The kmm command needs the engine's packages; install them with: pip install 'kmm[engine]'")

from kmm import __version__
from kmm.commands import batch, convert, data, evaluate, files, given_frames, preview, retarget, serve
from kmm.commands.common import Device, Json, Weights, load_pipeline, one_sentence

app = typer.Typer(
    help="Text to motion for Blender.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The `kmm` command."""
    app()


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"kmm {__version__}")
        raise typer.Exit


@app.command()
def generate(
    prompts: Annotated[list[str], typer.Argument(help='What to do @ seconds: "a person walks forward@3".')],
    out: Annotated[
        Path, typer.Option(help="File to write; its suffix names the format: .npz .bvh .json .glb .usd .fbx")
    ],
    seed: Annotated[int | None, typer.Option(help="Same seed, same motion; by default a new one.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="How closely to follow the text; by default as the weights say.")
    ] = None,
    samples: Annotated[
        int, typer.Option(help="So many takes, one file each, with the seeds that follow.")
    ] = 1,
    loop: Annotated[bool, typer.Option("--loop", help="Let the end lead into the start.")] = False,
    given: given_frames.Files = None,
    fps: files.Fps = None,
    units: files.Units = None,
    up: files.Up = None,
    layout: files.Layout = None,
    body: files.BodyFile = None,
    betas: files.Betas = None,
    lock_feet: files.LockFeet = False,
    rig: retarget.OneRig = None,
    armature: retarget.OneArmature = None,
    map: retarget.Map = None,
    blender: retarget.Blender = None,
    weights: Weights = "kmm-open",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Make one motion from one or more prompts and write it to a file, on your own character with --rig."""
    with one_sentence():
        from kmm import formats
        from kmm.clip import FPS
        from kmm.prompts import parse_prompts
        from kmm.protocol import Generate
        from kmm.source import assemble_takes

        seed = secrets.randbelow(2**31) if seed is None else seed
        poses = given_frames.read(given)
        request = Generate.with_given(
            poses,
            segments=parse_prompts(prompts),
            seed=seed,
            guidance=guidance,
            num_samples=samples,
            loop=loop,
        )
        outs = [out] if samples == 1 else [out.with_stem(f"{out.stem}-{k + 1}") for k in range(samples)]
        for each in outs:
            if rig is None:
                files.check_output(each, fps, body, units=units, up=up, layout=layout)
            else:
                retarget.check_output(each, rig, map, fps, body=body, units=units, up=up, layout=layout)
        wearing = files.load_body(body, betas)
        pipeline = load_pipeline(weights, device)

        start = time.monotonic()
        events = pipeline.stream(
            request.segments, seed, guidance, num_samples=samples, given=poses, loop=loop
        )
        clips = assemble_takes(_shown(events, request.frames_total), request.segments, FPS)
        seconds = time.monotonic() - start
        clips = [files.with_locked_feet(clip, wearing) if lock_feet else clip for clip in clips]
        clips = [clip if fps is None else clip.resample(fps) for clip in clips]
        for clip, each in zip(clips, outs, strict=True):
            if rig is None:
                formats.save(clip, each, units=units, up=up, layout=layout, body=wearing)
            else:
                from kmm import characters

                characters.write(clip, rig, each, armature=armature, bone_map=map, fps=fps, blender=blender)
    for k, (clip, each) in enumerate(zip(clips, outs, strict=True)):
        if as_json:
            result = {"file": str(each), "frames": len(clip), "fps": clip.fps, "seed": seed + k}
            result |= {"weights": pipeline.name, "device": pipeline.device, "seconds": seconds}
            print(json.dumps(result))
        else:
            told = f"{each}: {len(clip)} frames ({clip.seconds:.1f} s), made in {seconds:.1f} s"
            print(f"{told} with seed {seed + k}")


def _shown(events: Iterator, total: int) -> Iterator:
    """The events as they come, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("frames", total=total)
        for event in events:
            if hasattr(event, "done"):
                bar.update(task, completed=event.done)
            yield event


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what is missing and what to do about it; exit code 1 if something needed is missing."""
    from kmm import doctor

    checks = doctor.examine()
    if as_json:
        print(json.dumps([check.as_dict() for check in checks]))
    else:
        doctor.show(checks)
    if any(check.state == "missing" for check in checks):
        raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("."),
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same motion.")] = 1,
    blender: Annotated[
        Path | None, typer.Option(help="Blender's program; by default bpy or one found.")
    ] = None,
    weights: Weights = "kmm-open",
    device: Device = "auto",
) -> None:
    """Start an engine, stream three prompts from it, and write demo.npz, .bvh, .png and, with Blender, .blend."""
    with one_sentence():
        from kmm import demo

        demo.run(out, seed, blender, ["--weights", weights, "--device", device])


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe that comes with kmm, by name, or a .toml file.")],
    data: Annotated[Path, typer.Option(help="Folder of the training set.")],
    runs: Annotated[Path, typer.Option(help="Folder of checkpoints and logs; a run is resumed from there.")],
    out: Annotated[Path, typer.Option(help="Weights folder to write; for the evaluator a file.")],
) -> None:
    """Train a model, or go on with a training that was broken off; the recipe "evaluator" trains the judge."""
    with one_sentence():
        from kmm.training import evaluator, run
        from kmm.training.recipe import EvaluatorRecipe, load_recipe

        settings = load_recipe(recipe)
        if isinstance(settings, EvaluatorRecipe):
            evaluator.train(settings, data, runs, out)
        else:
            run.train(settings, data, runs, out)


app.add_typer(data.app, name="data")
app.add_typer(evaluate.app, name="evaluate")
app.command("serve")(serve.serve)
app.command("batch")(batch.batch)
app.command("convert")(convert.convert)
app.command("preview")(preview.preview)
app.command("retarget")(retarget.retarget)

if __name__ == "__main__":
    main()
