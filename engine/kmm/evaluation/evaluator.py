"""The independent evaluator: a text and a motion encoder into one space, trained to tell which belong together.

Built as in Guo et al. (CVPR 2022): convolutions and a bidirectional GRU over motion, a bidirectional GRU over words.
Trained with the contrastive loss of TMR (arXiv 2305.00976). It shares nothing with the generator that was learnt
there: motion comes in as features and not as tokens, and words as the fixed vectors of single word pieces, so that a
mistake of the generator's text encoder (left read as right, say) is seen here as a mistake.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers.models.bert.tokenization_bert import BertTokenizer

from kmm.clip import Clip
from kmm.contacts import foot_contacts
from kmm.model import features as ft
from kmm.model.text import find_minilm

LONGEST = 300  #: frames of a motion that are looked at; the rest is cut
WORDS = 40  #: word pieces of a text that are read
SLOWER = 4  #: frames a step of the motion's GRU


@dataclass(frozen=True)
class EvaluatorConfig:
    """Sizes; small, since the data are few and it must run on a CPU."""

    width: int = 256
    dim: int = 128  # of the common space; small, so that FID's covariances are well determined by few motions
    word_dim: int = 384
    dropout: float = 0.2


class Words:
    """Texts to fixed vectors, one a word piece: the input embeddings of MiniLM, before any of its layers."""

    def __init__(self) -> None:
        folder = find_minilm()
        self.tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
        with safe_open(folder / "model.safetensors", "pt") as file:
            self.table: Tensor = file.get_tensor("embeddings.word_embeddings.weight")

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(B, N, 384) vectors, zeros behind, and (B,) lengths; an empty text is one unknown word."""
        unknown = self.tokenizer.unk_token_id
        pieces = [
            self.tokenizer(t, add_special_tokens=False)["input_ids"][:WORDS] or [unknown] for t in texts
        ]
        return pad([self.table[torch.tensor(p)] for p in pieces])


def pad(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows (n_i, dim) -> (B, max n, dim) with zeros behind, and lengths (B,)."""
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True), torch.tensor([len(r) for r in rows])


class Recurrent(nn.Module):
    """A bidirectional GRU over rows of different lengths, summed up in one unit vector each."""

    def __init__(self, width: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width, dim)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        """(B, dim) of rows (B, N, width) and their lengths (B,), these on the CPU, where packing wants them."""
        # sorted here, since unsorting inside pad_packed_sequence waits for a GPU
        order = length.argsort(descending=True)
        packed = pack_padded_sequence(self.dropout(x)[order], length[order], batch_first=True)
        hidden = pad_packed_sequence(self.gru(packed)[0], batch_first=True)[0][order.argsort()]
        length = length.to(x.device)
        real = torch.arange(hidden.shape[1], device=length.device)[None] < length[:, None]
        mean = hidden.sum(1) / length[:, None]
        peak = hidden.masked_fill(~real[..., None], -torch.inf).amax(1)
        return F.normalize(self.out(self.dropout(torch.cat([mean, peak], -1))), dim=-1)


class Evaluator(nn.Module):
    """Two encoders into the unit sphere of `dim` dimensions."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: EvaluatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EvaluatorConfig()
        width = config.width
        self.register_buffer("mean", torch.zeros(ft.DIM))
        self.register_buffer("std", torch.ones(ft.DIM))
        self.halve = nn.ModuleList(
            nn.Conv1d(channels, width, 4, stride=2, padding=1) for channels in (ft.DIM, width)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.motion = Recurrent(width, config.dim, config.dropout)
        self.word = nn.Linear(config.word_dim, width)
        self.text = Recurrent(width, config.dim, config.dropout)
        self.log_temperature = nn.Parameter(torch.tensor(0.1).log())

    def embed_motions(self, features: Tensor, length: Tensor) -> Tensor:
        """(B, dim) of features (B, T, 140) with zeros behind their lengths (B,), each at least SLOWER.

        Lengths are on the CPU, whatever device the features are on; of words too.
        """
        x = (features - self.mean) / self.std
        for halve in self.halve:
            # zeros behind the end at every level, so that it does not matter what else is in the batch
            real = (torch.arange(x.shape[1])[None] < length[:, None]).to(x.device)
            x = F.silu(halve(self.dropout(x * real[..., None]).transpose(1, 2))).transpose(1, 2)
            length = length // 2
        out: Tensor = self.motion(x, length)
        return out

    def embed_words(self, words: Tensor, length: Tensor) -> Tensor:
        """(B, dim) of word vectors (B, N, 384) and their lengths."""
        out: Tensor = self.text(F.silu(self.word(words)), length)
        return out

    def loss(self, motions: Tensor, texts: Tensor, same: Tensor) -> Tensor:
        """InfoNCE in both directions (TMR, Eq. 4); pairs marked in `same` (B, B) are no negatives of each other."""
        similarity = motions @ texts.T / self.log_temperature.exp().clamp(min=0.02)
        apart = same & ~torch.eye(len(similarity), dtype=torch.bool, device=same.device)
        similarity = similarity.masked_fill(apart, -torch.inf)
        target = torch.arange(len(similarity), device=similarity.device)
        return F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)


def motion_features(clip: Clip) -> NDArray[np.float32]:
    """(T - 1, 140) features of a 30 fps clip, contacts read from the joints: generated motion is treated as real."""
    contacts = foot_contacts(clip.joints(), clip.fps)
    return np.asarray(ft.encode(replace(clip, contacts=contacts))[1:], np.float32)


class Judge:
    """A trained evaluator and its words, for evaluation only."""

    def __init__(self, evaluator: Evaluator, batch: int = 64) -> None:
        self.evaluator = evaluator.eval().requires_grad_(False)
        self.words, self.batch = Words(), batch

    @torch.inference_mode()
    def motions(self, features: Iterable[NDArray[np.floating]]) -> NDArray[np.float64]:
        """(N, dim) of features (T_i, 140), as `motion_features` or a store gives them; T_i at least SLOWER."""
        rows = [torch.from_numpy(np.asarray(f[:LONGEST], np.float32)) for f in features]
        parts = [self.evaluator.embed_motions(*pad(rows[i : i + self.batch])) for i in self._starts(rows)]
        return torch.cat(parts).double().numpy()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(N, dim) of texts."""
        parts = [
            self.evaluator.embed_words(*self.words(texts[i : i + self.batch])) for i in self._starts(texts)
        ]
        return torch.cat(parts).double().numpy()

    def _starts(self, rows: Sequence[object]) -> range:
        return range(0, len(rows), self.batch)


def save(path: Path, evaluator: Evaluator, licence: str) -> None:
    """One safetensors file, float16 but for the normalisation; sizes and licence are in its metadata."""
    state = {
        k: (v if k in ("mean", "std") else v.half()).contiguous() for k, v in evaluator.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, {"config": json.dumps(asdict(evaluator.config)), "licence": licence})


def shipped() -> Path:
    """Where the evaluator is that comes with kmm: beside the weights, in the package or in the repository."""
    package = Path(__file__).parents[1]
    places = [folder / "weights" / "evaluator.safetensors" for folder in (package, package.parents[1])]
    return next((p for p in places if p.is_file()), places[-1])


def load(path: Path) -> Evaluator:
    """Read a saved evaluator; FileNotFoundError or ValueError with a sentence for people."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no evaluator {path}; train one with `kmm train evaluator`.")
    try:
        with safe_open(path, "pt") as file:
            evaluator = Evaluator(EvaluatorConfig(**json.loads(file.metadata()["config"])))
            evaluator.load_state_dict({k: file.get_tensor(k).float() for k in file.keys()})  # noqa: SIM118
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{path} is not an evaluator ({error}); train one with `kmm train evaluator`."
        ) from error
    return evaluator.eval().requires_grad_(False)
