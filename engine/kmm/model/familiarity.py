"""How near a prompt is to what the weights were trained on: its distance to their captions in the aligned text space.

A folder of weights may hold `captions.safetensors`: `captions` (n, dim) unit vectors of the training captions, and
`held_out` (m,), the cosine similarity to the nearest of them of captions that people wrote and training never saw. It
names the weights that it is of by their sha256, since other weights have another space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

FILE = "captions.safetensors"
_AT_ONCE = 64

Embed = Callable[[list[str]], Tensor]  #: texts -> (n, dim) unit vectors in the aligned text space


class Familiarity:
    """Judges prompts by the captions of training."""

    def __init__(self, captions: Tensor, held_out: Tensor) -> None:
        self._captions, self._held_out = captions.float(), held_out.float().sort().values

    @classmethod
    def build(cls, embed: Embed, captions: Sequence[str], held_out: Sequence[str]) -> Familiarity:
        """From the texts of the training split, and of one that training has not seen."""
        known = embed_all(embed, sorted(set(captions)))
        new = embed_all(embed, sorted(set(held_out) - set(captions)))
        return cls(known, (new @ known.T).amax(1))

    def __call__(self, vectors: Tensor) -> list[float]:
        """For each unit vector (n, dim) the share of held-out captions that are further from training than it is.

        1: as near as a caption of training; 0.05: of twenty captions that people wrote, nineteen are nearer.
        """
        nearest = (vectors.float().cpu() @ self._captions.T).amax(1)
        below = torch.searchsorted(self._held_out, nearest, right=True)
        return [float(share) for share in below / len(self._held_out)]

    def save(self, folder: Path, sha256: str) -> None:
        """Write it beside the weights of this sha256."""
        state = {"captions": self._captions.half(), "held_out": self._held_out}
        save_file(state, folder / FILE, {"sha256": sha256})

    @classmethod
    def load(cls, folder: Path, sha256: str) -> Familiarity | None:
        """What lies beside the weights, or None if nothing does, or something of other weights.

        Raises ValueError for a file that cannot be used.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get("sha256") != sha256:
                    return None
                return cls(file.get_tensor("captions"), file.get_tensor("held_out"))
        except (OSError, SafetensorError) as error:
            raise ValueError(f"{path} cannot be read ({error}); remove it or copy it again.") from error


def embed_all(embed: Embed, texts: Sequence[str]) -> Tensor:
    """(n, dim) for any number of texts."""
    parts = [embed(list(texts[i : i + _AT_ONCE])) for i in range(0, len(texts), _AT_ONCE)]
    return torch.cat(parts) if parts else torch.zeros(0, 1)
