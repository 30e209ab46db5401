"""How well the tokenizer says motion again: joint and rotation error and codebook use on the validation split.

    python benchmarks/tokenizer.py FOLDER [WEIGHTS ...]

FOLDER is the training set (see CONTRIBUTING). Every weights folder is judged on the sets that it may use.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from kmm.data.records import in_split
from kmm.model import weights as wt
from kmm.training.recipe import load_recipe
from kmm.training.run import recordings
from kmm.training.store import Store
from kmm.training.tokenizer import reconstruction


def main(data: Path, names: list[str]) -> None:
    print("| weights | clips | minutes | joint error, mm | rotation error, degrees | codes in use |")
    print("|---|---|---|---|---|---|")
    for name in names:
        items = in_split(recordings(load_recipe(name), data), "val")
        minutes = sum(len(r.clip) for r in items) / 1800
        figures = reconstruction(
            wt.load(name, torch.device("cpu")).tokenizer, Store.build(items), limit=10**9
        )
        print(
            f"| {name} | {len(items)} | {minutes:.1f} | {figures['joint_error_mm']:.1f} "
            f"| {figures['rotation_error_deg']:.1f} | {figures['codes_used']:.0%} |"
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:] or list(wt.shipped()))
