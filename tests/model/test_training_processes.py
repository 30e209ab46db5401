"""Training on several processes, started as users start it: by torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np, torch
from accelerate import Accelerator
from kmm.model import features as ft
from kmm.model.tokenizer import Tokenizer, TokenizerConfig
from kmm.training import loop
from kmm.training.store import Store
from kmm.training.tokenizer import TokenizerStage

out = Path(sys.argv[1])
features = np.random.default_rng(0).normal(size=(200, ft.DIM)).astype(np.float32)
store = Store(features, np.array([0]), np.array([200]), np.array([1.0]))
torch.manual_seed(0)
module = Tokenizer(TokenizerConfig(width=16, half_width=16, full_width=16, code_dim=8, codes=16))
drawn = []
stage = TokenizerStage(module, store, store, batch=4)
real = store.windows
stage.train = type("Spy", (), {"windows": lambda _, *a: drawn.append(real(*a)) or drawn[-1]})()
loop.run(stage, loop.LoopConfig(steps=3, validate_every=3, warmup=1), out)
rank = Accelerator().process_index
weights = float(sum(p.double().abs().sum() for p in module.parameters()))
(out / f"rank{rank}.json").write_text(json.dumps({"weights": weights, "batch": float(drawn[0].sum())}))
"""


@pytest.mark.slow
def test_two_processes_see_different_batches_and_end_with_the_same_weights(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launch, script, tmp_path],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"rank{k}.json").read_text()) for k in (0, 1))
    assert first["weights"] == pytest.approx(second["weights"], rel=1e-12)
    assert first["batch"] != second["batch"]
    assert len((tmp_path / "tokenizer.jsonl").read_text().splitlines()) == 1
