"""`kmm demo`: the whole main job once, on real parts.

A real engine process, three prompts over its socket, and what streams back as files; and, if there is a Blender,
streamed once more by the add-on's own code onto an armature there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kmm
from kmm import blender as blenders
from kmm import formats
from kmm.client import Client, ClientError, assemble
from kmm.launch import launch
from kmm.preview import film_strip
from kmm.prompts import parse_prompts
from kmm.protocol import Error, Frames

PROMPTS = ("a person walks forward@4", "a person walks and turns left@3", "a person runs forward@3")


def run(out: Path, seed: int, blender: Path | None, options: list[str]) -> None:
    """Writes demo.npz, demo.bvh, demo.png and, with a Blender, demo.blend into the folder `out`.

    options: for `kmm serve`. Raises ClientError, OSError, ValueError with a sentence.
    """
    segments = parse_prompts(PROMPTS)
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with launch(*options) as engine, Client.connect(engine.connection_file, timeout=30.0) as client:
        welcome = client.welcome
        print(f"Engine ready after {time.monotonic() - start:.1f} s: {welcome.weights} on {welcome.device}")

        start, first, chunks = time.monotonic(), None, []
        for event in client.events(client.generate(segments, seed)):
            if isinstance(event, Error):
                raise ClientError(f"{event.message} {event.action}")
            if isinstance(event, Frames):
                first = first or time.monotonic() - start
                chunks.append(event)
        clip = assemble(chunks, segments, welcome.fps)
        print(
            f"{clip.seconds:.1f} s of motion in {time.monotonic() - start:.2f} s, "
            f"the first frames after {first:.2f} s"
        )
        for suffix in (".npz", ".bvh"):
            formats.save(clip, out / f"demo{suffix}")
        film_strip(clip, out / "demo.png", title=", ".join(s.prompt for s in segments))
        print(f"Written: {', '.join(str(out / f'demo{suffix}') for suffix in ('.npz', '.bvh', '.png'))}")

        command = blenders.command(blender)
        if command is None:
            print("No Blender found, so no demo.blend; give one with --blender, or pip install bpy.")
            return
        _key_in_blender(command, engine.connection_file, seed, out / "demo.blend")


def _key_in_blender(command: list[str], connection_file: Path, seed: int, blend: Path) -> None:
    package = Path(kmm.__file__).parent
    with tempfile.TemporaryDirectory() as extra:
        places = [str(blenders.addon_folder().parent), str(package.parent)]
        if command[0] != sys.executable:
            _install_for_blender(command[0], Path(extra))
            places.insert(0, extra)
        job = {
            "path": places,
            "connection_file": str(connection_file),
            "prompts": PROMPTS,
            "seed": seed,
            "blend": str(blend.resolve()),
        }
        try:
            said = blenders.run(package / "demo_blender.py", job, command)
        except blenders.BlenderError as error:
            raise ClientError(str(error)) from error
    print(*(line for line in said.splitlines() if line.startswith("Written:")), sep="\n")


def _install_for_blender(blender: str, folder: Path) -> None:
    """What the client needs and Blender does not bring, as the extension's zip would bring it."""
    ask = [
        blender,
        "-b",
        "--factory-startup",
        "--python-expr",
        "import sys; print('python', *sys.version_info[:2])",
    ]
    answer = subprocess.run(ask, capture_output=True, text=True, timeout=blenders.SECONDS).stdout
    version = next((line.split()[1:] for line in answer.splitlines() if line.startswith("python ")), None)
    if version is None:
        raise ClientError(f"{blender} does not run as Blender does.")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-deps"]
    install += ["--python-version", ".".join(version), "--target", str(folder), "pyzmq", "msgpack"]
    if subprocess.run(install, capture_output=True, timeout=blenders.SECONDS).returncode:
        raise ClientError("pip could not install pyzmq and msgpack for Blender's Python; is there a network?")
