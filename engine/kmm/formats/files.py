"""Writing a file so that a crash or a full disk never leaves half of it, nor harms the one it replaces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file to write beside `path`, renamed to it at the end; removed if anything is raised."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        with open(beside, "xb") as file:
            yield file
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
