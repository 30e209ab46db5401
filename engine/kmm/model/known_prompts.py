"""Prompts that weights are known to do well, by kind: `prompts.json` in a folder of weights.

It names the weights that it is of by their sha256, since others may do other things well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = "prompts.json"

Prompts = Mapping[str, tuple[str, ...]]  #: kind -> prompts


def read(folder: Path, sha256: str) -> Prompts:
    """What lies beside the weights of this sha256; nothing if nothing does, or something of other weights.

    Raises ValueError for a file that cannot be used.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["sha256"] != sha256:
            return {}
        return {str(kind): tuple(map(str, prompts)) for kind, prompts in found["prompts"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); remove it or copy it again.") from error


def write(folder: Path, sha256: str, prompts: Prompts) -> None:
    """Write it beside the weights of this sha256."""
    found = {"sha256": sha256, "prompts": {kind: list(each) for kind, each in prompts.items()}}
    text = json.dumps(found, indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
