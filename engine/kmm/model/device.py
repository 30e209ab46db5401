"""The device that the network runs on."""

from __future__ import annotations

import torch


def choose_device(name: str) -> torch.device:
    """The torch device for "auto" (the best there is), "cpu", "cuda" or "mps"; ValueError if it is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(d for d, there in available.items() if there))
    kind = name.split(":")[0]
    if kind not in available:
        raise ValueError(f"There is no device {name!r}: use auto, cpu, cuda or mps.")
    if not available[kind]:
        raise ValueError(f"The device {name!r} is not available here: use --device auto or cpu.")
    return torch.device(name)
