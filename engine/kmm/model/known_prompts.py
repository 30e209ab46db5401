"""Prompts that weights are known to do well, by kind: `prompts.json` in a folder of weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = "prompts.json"

Prompts = Mapping[str, tuple[str, ...]]  #: kind -> prompts


def read(folder: Path) -> Prompts:
    """What lies beside the weights, or nothing. Raises ValueError for a file that cannot be used."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(kind): tuple(str(prompt) for prompt in prompts) for kind, prompts in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); remove it or copy it again.") from error


def write(folder: Path, prompts: Prompts) -> None:
    """Write it beside the weights."""
    text = json.dumps({kind: list(each) for kind, each in prompts.items()}, indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
