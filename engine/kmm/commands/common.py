"""What commands share: options, and errors as one sentence."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from kmm.model.pipeline import Pipeline

Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Weights = Annotated[str, typer.Option(help="Weights that come with kmm, by name, or a folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for scripts.")]


def fail(sentence: str) -> NoReturn:
    """Ends the command with one sentence and exit code 1."""
    print(" ".join(sentence.split()), file=sys.stderr)
    raise typer.Exit(1)


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Turns what can go wrong by a wrong word, file, device or installation into one sentence."""
    from kmm.client import ClientError

    try:
        yield
    except ImportError as error:
        fail(f"{error.name or error} is not installed; `kmm doctor` tells what is missing.")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}." if error.filename and error.strerror else str(error))
    except (ValueError, ClientError) as error:
        fail(str(error))


def load_pipeline(weights: str, device: str) -> Pipeline:
    """The model, ready to generate. Raises what `Pipeline.load` raises, and ImportError."""
    # The layers are too small to share out: two threads are no faster than one, and much slower beside other
    # work, where they wait for each other. Must be set before torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from kmm.model.pipeline import Pipeline

    return Pipeline.load(weights=weights, device=device)
