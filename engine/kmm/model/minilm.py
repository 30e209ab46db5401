"""all-MiniLM-L6-v2 by torch's own layers, with its tokenizer from the library that transformers has it from.

The numbers are those of transformers' BertModel (tested). To import that takes longer than all else that an engine
does until it is ready, so this is what an engine reads its prompts with.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

#: Names in the file of what a layer of torch holds; queries, keys and values are one matrix there.
LAYER = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


class MiniLM(nn.Module):
    """Texts -> word pieces -> latents: BERT's embeddings and encoder, without the pooling."""

    def __init__(self, folder: Path, most: int) -> None:
        """`folder`: as transformers saves it; `most`: word pieces of a text that are read, the rest is cut."""
        super().__init__()
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        state = load_file(folder / "model.safetensors")
        self.dim = int(config["hidden_size"])
        layer = nn.TransformerEncoderLayer(
            self.dim, config["num_attention_heads"], config["intermediate_size"], activation="gelu",
            layer_norm_eps=config["layer_norm_eps"], batch_first=True,
        )  # fmt: skip
        self.word = nn.Embedding.from_pretrained(state["embeddings.word_embeddings.weight"])
        # every text is of BERT's first kind
        kind = state["embeddings.token_type_embeddings.weight"][0]
        self.position = nn.Embedding.from_pretrained(state["embeddings.position_embeddings.weight"] + kind)
        self.norm = nn.LayerNorm(self.dim, config["layer_norm_eps"])
        self.encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)
        self.norm.load_state_dict({k: state[f"embeddings.LayerNorm.{k}"] for k in ("weight", "bias")})
        for number, into in enumerate(self.encoder.layers):
            into.load_state_dict(_of_layer(state, f"encoder.layer.{number}."))

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(most)
        self.tokenizer.enable_padding(pad_id=config["pad_token_id"], pad_token="[PAD]")

    def split(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """(B, N) numbers of the word pieces, and (B, N) mask, padded on the right."""
        found = self.tokenizer.encode_batch(texts)
        return torch.tensor([x.ids for x in found]), torch.tensor([x.attention_mask for x in found]).bool()

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """(B, N, dim) of (B, N) word pieces, of which those outside the mask (B, N) are padding."""
        places = torch.arange(pieces.shape[1], device=pieces.device)
        hidden = self.norm(self.word(pieces) + self.position(places))
        return self.encoder(hidden, src_key_padding_mask=~mask)


def _of_layer(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    found = {}
    for kind in ("weight", "bias"):
        parts = [state[f"{prefix}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        found[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
        for ours, theirs in LAYER.items():
            found[f"{ours}.{kind}"] = state[f"{prefix}{theirs}.{kind}"]
    return found
