"""`kmm doctor`: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util

from kmm import __version__


@dataclass(frozen=True)
class Check:
    """One thing looked at. state: "ok", "missing" (needed and not there) or "absent" (not needed)."""

    name: str
    state: str
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def examine() -> list[Check]:
    """Everything that the engine needs or could use, most needed first."""
    return [*_python(), *_packages(), *_torch(), *_text_encoder(), *_weights(), *_blender(), *_engines()]


def show(checks: list[Check]) -> None:
    """A table on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "", "found", "what to do", box=None, pad_edge=False)
    signs = {"ok": "[green]ok[/]", "missing": "[bold red]missing[/]", "absent": "[dim]absent[/]"}
    for check in checks:
        table.add_row(signs[check.state], check.name, Text(check.found), Text(check.advice))
    Console().print(table)


def _python() -> Iterator[Check]:
    good = sys.version_info >= (3, 11)
    yield Check(
        "kmm", "ok" if good else "missing", f"{__version__} on Python {platform.python_version()}",
        "" if good else "Install Python 3.11 or later.",
    )  # fmt: skip


def _packages() -> Iterator[Check]:
    needed = (
        "numpy",
        "pyzmq",
        "msgpack",
        "torch",
        "tokenizers",
        "transformers",
        "safetensors",
        "platformdirs",
        "psutil",
        "rich",
    )
    for name in needed:
        yield _package(name, "Install it with: pip install 'kmm[engine]'")
    import zmq

    if not zmq.has("curve"):
        yield Check("encryption", "missing", "this ZeroMQ has no CURVE", "Install pyzmq from its own wheels.")
    yield _package("mamba-ssm", "Faster on NVIDIA only: pip install 'kmm[cuda]'", needed=False)
    yield _package("smplx", "Only for your own SMPL file: pip install 'kmm[smpl]'", needed=False)
    yield _package("usd-core", "Only for USD files: pip install 'kmm[usd]'", needed=False)
    yield _package("imageio-ffmpeg", "Only for mp4 films: pip install 'kmm[preview]'", needed=False)
    yield _package("motionmcp-sdk", "Only for `kmm serve --mmcp`: pip install 'kmm[mmcp]'", needed=False)


def _package(name: str, advice: str, needed: bool = True) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "missing" if needed else "absent", "", advice)


def _torch() -> Iterator[Check]:
    if util.find_spec("torch") is None:
        return
    import torch

    names = ["cpu"]
    if torch.cuda.is_available():
        names.append(f"cuda ({torch.cuda.get_device_name()})")
    if torch.backends.mps.is_available():
        names.append("mps")
    yield Check("devices", "ok", ", ".join(names))


def _text_encoder() -> Iterator[Check]:
    if util.find_spec("torch") is None:
        return
    from kmm.model.text import MINILM, find_minilm

    try:
        find_minilm()
    except (OSError, ValueError) as error:
        yield Check("text encoder", "missing", "", str(error))
    else:
        yield Check("text encoder", "ok", MINILM)


def _weights() -> Iterator[Check]:
    if util.find_spec("torch") is None or util.find_spec("safetensors") is None:
        return
    from kmm.model.weights import DEFAULT, shipped

    names = ", ".join(shipped())
    if DEFAULT in shipped():
        yield Check("weights", "ok", names)
    else:
        yield Check("weights", "missing", names, f"{DEFAULT} should come with kmm; install it again.")


def _blender() -> Iterator[Check]:
    from kmm.blender import find_blender

    if util.find_spec("bpy") is not None:
        yield Check("Blender", "ok", f"bpy {metadata.version('bpy')}")
    elif blender := find_blender():
        yield Check("Blender", "ok", str(blender))
    else:
        yield Check(
            "Blender",
            "absent",
            "",
            "For FBX, `kmm retarget` and `kmm demo`: put Blender 4.2 or later on the PATH.",
        )


def _engines() -> Iterator[Check]:
    if util.find_spec("platformdirs") is None:
        return
    from kmm.client import Client, ClientError
    from kmm.server.connection import default_path

    try:
        folder = default_path().parent
    except OSError as error:
        advice = "Give kmm serve a --connection-file in a folder that you can write to."
        yield Check("runtime folder", "missing", str(error), advice)
        return
    yield Check("runtime folder", "ok", str(folder))
    for path in sorted(folder.glob("engine-*.json")):
        try:
            with Client.connect(path, timeout=2.0) as client:
                found = f"{client.welcome.weights} on {client.welcome.device}, {path}"
        except ClientError:
            continue
        yield Check("running engine", "ok", found)
