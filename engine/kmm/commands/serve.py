"""`kmm serve`: the engine as a process."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from kmm.commands.common import Device, Weights, load_pipeline, one_sentence


def serve(
    device: Device = "auto",
    weights: Weights = "kmm-open",
    connection_file: Annotated[
        Path | None,
        typer.Option(help="Where to write address and keys; by default a new file of the user's."),
    ] = None,
    idle_timeout: Annotated[
        float | None, typer.Option(min=1, help="End after so many seconds without work; by default never.")
    ] = None,
    parent_pid: Annotated[int | None, typer.Option(help="End when this process ends.")] = None,
    bind: Annotated[
        str,
        typer.Option(
            help="host:port for clients on other machines; by default this machine alone, any port."
        ),
    ] = "127.0.0.1:0",
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds that SIGTERM leaves the running request to finish.")
    ] = 8.0,
    metrics: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help="Figures for Prometheus, on this machine only."),
    ] = None,
    mmcp: Annotated[
        bool,
        typer.Option("--mmcp", help="Also speak the Motion Model Context Protocol, on this machine only."),
    ] = False,
    mmcp_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
) -> None:
    """Run the engine until it is told to end. Prints one line of JSON when it is ready."""
    start = time.monotonic()
    with one_sentence(), contextlib.ExitStack() as stack:
        if mmcp:
            from kmm.mmcp import serving
        if metrics is not None:
            from kmm.server.metrics import serving_metrics
        pipeline = load_pipeline(weights, device)
        from kmm.server.engine import Engine

        engine = Engine(pipeline, connection_file, idle_timeout, parent_pid, bind, drain)
        stack.callback(engine.close)
        if metrics is not None:
            stack.enter_context(serving_metrics(engine.status, metrics))
        url = stack.enter_context(serving(engine.connection_file, mmcp_port)) if mmcp else None
        meanwhile = stack.pop_all()
    ready = {
        "event": "ready",
        "connection_file": str(engine.connection_file.resolve()),
        "weights": pipeline.name,
        "device": pipeline.device,
        "seconds": round(time.monotonic() - start, 3),
    }
    print(json.dumps(ready | ({"mmcp": url} if url else {})), flush=True)
    with meanwhile:
        engine.run()
