"""Which weights the engine's installation has to choose from. Only looks at files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .find_python import site_packages


class Weights(NamedTuple):
    """A model that can be loaded by its name."""

    name: str
    licence: str


def installed_weights(python: Path) -> list[Weights]:
    """The weights that came with the engine of this Python, by name."""
    found = {w.name: w for packages in site_packages(python) for w in _beside(packages)}
    return sorted(found.values())


def _beside(packages: Path) -> Iterator[Weights]:
    for folder in (packages / "kmm" / "weights", *_checkouts(packages)):
        for config in folder.glob("*/config.json"):
            with suppress(OSError, ValueError, AttributeError):
                values = json.loads(config.read_text(encoding="utf-8"))
                yield Weights(config.parent.name, str(values.get("licence", "")))


def _checkouts(packages: Path) -> Iterator[Path]:
    """Where the weights lie if the engine was installed as an editable checkout (PEP 610 says where that is)."""
    for record in packages.glob("kmm-*.dist-info/direct_url.json"):
        with suppress(OSError, ValueError, KeyError):
            address = urlsplit(json.loads(record.read_text(encoding="utf-8"))["url"])
            if address.scheme == "file":
                yield Path(url2pathname(address.path)) / "weights"
