"""The text encoder from its package: right file, token-level, texts padded on the left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kmm.model import text as tx
from kmm.model.text import TextEncoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def test_a_text_alone_or_in_a_batch_is_the_same(encoder: TextEncoder) -> None:
    texts = ["a person walks forward", "someone jumps over a puddle and then waves with the left hand"]
    both, mask = encoder(texts)
    alone, _ = encoder(texts[:1])
    assert not mask[0, 0] and mask[:, -1].all()
    torch.testing.assert_close(both[0][mask[0]], alone[0], atol=1e-4, rtol=1e-4)


def test_meaning_is_in_it(encoder: TextEncoder) -> None:
    hidden, mask = encoder(["a person walks", "somebody is walking", "the cat eats a fish"])
    mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    similar = torch.nn.functional.cosine_similarity(mean[0], mean[1], dim=0)
    assert similar > torch.nn.functional.cosine_similarity(mean[0], mean[2], dim=0) + 0.2


def test_long_prompts_are_cut_not_refused(encoder: TextEncoder) -> None:
    hidden, _ = encoder(["walk " * 500])
    assert hidden.shape == (1, tx.MAX_TOKENS, encoder.dim)


def test_a_wrong_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tx, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="reinstall"):
        tx.find_minilm()


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        TextEncoder(str(tmp_path))


def test_clip_from_a_folder_serves_as_well(tmp_path: Path) -> None:
    """A small CLIP text model of the same layout as the published one, made here and read from disk."""
    import json

    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (tmp_path / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(tmp_path)
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=77, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    CLIPTextModel(config).save_pretrained(tmp_path)
    hidden, mask = TextEncoder(str(tmp_path))(["walk on", "run"])
    assert hidden.shape[0] == 2 and hidden.shape[2] == 32 and mask[:, -1].all() and not mask[1, 0]


def test_texts_are_padded_on_the_left_and_read_alike_in_company() -> None:
    encoder = TextEncoder()
    texts = ["a person walks", "a person walks forward and then turns to the left"]
    both, mask = encoder(texts)
    assert mask.sum(-1).tolist() == [5, 12] and mask[:, -5:].all()
    assert both[~mask].abs().sum() == 0
    for row, text in enumerate(texts):
        torch.testing.assert_close(both[row, mask[row]], encoder([text])[0][0], atol=1e-4, rtol=1e-3)


def test_it_reads_as_transformers_does(encoder: TextEncoder) -> None:
    from transformers import AutoTokenizer, BertModel

    folder = tx.find_minilm()
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    texts = [
        "a person walks",
        "Jump, twice; then -- sit down on the CH\u00c2IR!",
        "walk " * 60,
        "\u6b69\u304f 3x",
    ]
    batch = AutoTokenizer.from_pretrained(folder)(
        texts, padding=True, truncation=True, max_length=tx.MAX_TOKENS, return_tensors="pt"
    )
    pieces, mask = encoder.pieces(texts)
    assert torch.equal(pieces, batch["input_ids"]) and torch.equal(mask, batch["attention_mask"].bool())
    with torch.no_grad():
        expected = model(**batch).last_hidden_state
    torch.testing.assert_close(encoder.model(pieces, mask)[mask], expected[mask], atol=1e-5, rtol=1e-4)


def test_an_engine_does_not_wait_for_transformers() -> None:
    """To import it takes longer than all else that an engine does until it is ready."""
    code = "import sys; from kmm.model.text import TextEncoder; TextEncoder(); print('transformers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "False"
