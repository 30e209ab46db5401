"""One resumable training loop for every stage, on a CPU, a GPU or several.

A stage brings a module, a loss on a random batch and a validation; the loop brings the optimizer, the schedule,
the moving average of the weights, checkpoints, the log and its curve as a picture. Devices, processes and mixed
precision are accelerate's: `kmm train` uses the best device there is, `torchrun --nproc_per_node N -m kmm.cli train`
as many as it is told, each with a batch of its own.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Stage(Protocol):
    """What one training stage provides."""

    name: str
    module: nn.Module

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Loss of one random batch, on the module's device, and figures for the log; as tensors a GPU need not be
        waited for."""

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Figures on the validation split, the first of which is the one to look at."""


class LoopConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How long and how fast to train one stage; a part of a recipe."""

    steps: Annotated[int, msgspec.Meta(ge=1)]
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 4e-4
    warmup: Annotated[int, msgspec.Meta(ge=0)] = 100
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.01
    clip_norm: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    ema: Annotated[float, msgspec.Meta(ge=0, lt=1)] = (
        0.0  # decay of the averaged weights; 0 keeps the plain ones
    )
    validate_every: Annotated[int, msgspec.Meta(ge=1)] = 500
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    mixed_precision: Literal["no", "bf16"] = "no"  # "bf16" on GPUs only: on a CPU it is slower


class _Loss(nn.Module):
    """A stage's loss as a forward pass: what accelerate wraps, so that several processes average their gradients."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.module = stage.module
        self.of = stage.loss

    def forward(self, rng: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        return self.of(rng)


def learning_rate(config: LoopConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to a twentieth."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = min(1.0, (step - config.warmup) / max(1, config.steps - config.warmup))
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def run(stage: Stage, config: LoopConfig, folder: Path, resume: bool = True) -> nn.Module:
    """Train until `config.steps`; returns the module to keep (the averaged one if there is one).

    With `resume`, goes on from `folder/<stage>.ckpt` if it is there; same seed and same number of resumptions
    give the same result. Writes <stage>.ckpt, <stage>.jsonl (log) and <stage>.png (curve) into `folder`.
    ValueError, and the last checkpoint stays as it is, where a loss or what it trains is no finite number any more;
    looked for only when validating, since a GPU would be waited for in every step.
    """
    # of the extra `train`: evaluation, which does without, imports this module too
    from accelerate import Accelerator

    accelerator = Accelerator(mixed_precision=config.mixed_precision if torch.cuda.is_available() else "no")
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{stage.name}.ckpt"
    log = folder / f"{stage.name}.jsonl"
    torch.manual_seed(config.seed)
    module = stage.module.to(accelerator.device)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    average = (
        AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
        if config.ema
        else None
    )
    if average is not None:
        average.n_averaged = average.n_averaged.cpu()  # a count on a GPU would be waited for in every step
    step = 0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=accelerator.device)
        module.load_state_dict(state["module"])
        _restore_buffers(module, state["buffers"])
        optimizer.load_state_dict(state["optimizer"])
        if average is not None:
            average.load_state_dict(state["average"])
        torch.set_rng_state(state["rng"].cpu())
        step = state["step"]
    elif log.exists() and accelerator.is_main_process:
        log.unlink()
    wrapped, optimizer = accelerator.prepare(_Loss(stage), optimizer)

    def keep() -> nn.Module:
        return module if average is None else average.module

    started, since = time.time(), step
    sums: dict[str, float | Tensor] = {}
    while step < config.steps:
        rate = learning_rate(config, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        # the batch depends on seed, step and process alone, so a resumed run sees the batches it would have seen
        rng = np.random.default_rng((config.seed, step, accelerator.process_index))
        module.train()
        loss, figures = wrapped(rng)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(trained, config.clip_norm)
        optimizer.step()
        if average is not None:
            average.update_parameters(module)
        step += 1
        for key, value in {"loss": loss.detach(), **figures}.items():
            sums[key] = sums.get(key, 0.0) + value
        if step % config.validate_every == 0 or step == config.steps:
            means = {k: float(v) / (step - since) for k, v in sums.items()}
            _check_finite(means, stage.name, since)
            if accelerator.is_main_process:
                module.eval()
                with torch.no_grad():
                    validation = stage.validate(keep().eval())
                row = {
                    "step": step,
                    "seconds": round(time.time() - started, 1),
                    "rate": rate,
                    **means,
                    **{f"val_{k}": v for k, v in validation.items()},
                }
                _check_finite(row, stage.name, since)
                print(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
                with log.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                _save(
                    checkpoint,
                    {
                        "module": module.state_dict(),
                        "buffers": dict(module.named_buffers()),
                        "optimizer": optimizer.state_dict(),
                        "average": None if average is None else average.state_dict(),
                        "rng": torch.get_rng_state(),
                        "step": step,
                    },
                )
                draw_curve(log, folder / f"{stage.name}.png")
            accelerator.wait_for_everyone()
            since, sums = step, {}
    return keep().eval()


def _check_finite(figures: Mapping[str, float], stage: str, kept: int) -> None:
    """ValueError if a figure is none; `kept`: step of the last checkpoint."""
    wrong = [name for name, value in figures.items() if not math.isfinite(value)]
    if wrong:
        before = f"The checkpoint of step {kept} is kept." if kept else "Nothing was written."
        raise ValueError(
            f"The training of the {stage} came to figures that are not finite ({', '.join(wrong)}): give it a lower "
            f"learning_rate in the recipe. {before}"
        )


def _restore_buffers(module: nn.Module, saved: dict[str, Tensor]) -> None:
    """Buffers that are not part of the weights (running sums of the codebooks) but of a resumable state."""
    for name, buffer in module.named_buffers():
        buffer.copy_(saved[name])


def _save(path: Path, state: dict[str, Any]) -> None:
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    os.replace(beside, path)


def draw_curve(log: Path, picture: Path) -> None:
    """Plot training loss and every validation figure of a log; does nothing without matplotlib."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        return
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    keys = ["loss"] + [k for k in rows[-1] if k.startswith("val_")]
    figure, axes = plt.subplots(1, len(keys), figsize=(3.2 * len(keys), 2.6), squeeze=False)
    for axis, key in zip(axes[0], keys, strict=True):
        axis.plot([r["step"] for r in rows if key in r], [r[key] for r in rows if key in r], lw=1.2)
        axis.set_title(key.removeprefix("val_") + (" (validation)" if key != "loss" else ""), fontsize=8)
        axis.set_xlabel("step", fontsize=7)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)
    plt.close(figure)
