"""The contrastive loss against Eq. 13 and 14 written out."""

from __future__ import annotations

import numpy as np
import torch
from kmm.model.alignment import Alignment


def test_loss_is_the_papers() -> None:
    torch.manual_seed(0)
    module = Alignment(16, 8)
    text, motion = (torch.nn.functional.normalize(torch.randn(5, 128), dim=-1) for _ in range(2))
    sim = text.numpy() @ motion.numpy().T / 0.1
    rows = -np.log(np.exp(sim).diagonal() / np.exp(sim).sum(1))
    columns = -np.log(np.exp(sim).diagonal() / np.exp(sim).sum(0))
    np.testing.assert_allclose(module.loss(text, motion).item(), rows.mean() + columns.mean(), rtol=1e-4)


def test_two_segments_with_one_text_are_no_negatives() -> None:
    torch.manual_seed(0)
    module = Alignment(16, 8)
    text, motion = (torch.nn.functional.normalize(torch.randn(3, 128), dim=-1) for _ in range(2))
    same = torch.eye(3, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    free = module.loss(text, motion, same)
    moved = motion.clone()
    moved[1] = text[0]  # as close as can be to the text it shares
    assert module.loss(text, moved, same) < module.loss(text, moved)
    assert free.isfinite()


def test_padding_does_not_count() -> None:
    torch.manual_seed(0)
    module = Alignment(16, 8)
    mask = torch.tensor([[True] * 5 + [False] * 3])
    text, motion = torch.randn(1, 8, 16), torch.randn(1, 8, 8)
    other_text, other_motion = text.clone(), motion.clone()
    other_text[0, 5:], other_motion[0, 5:] = 9.0, 9.0
    torch.testing.assert_close(module.embed_text(text, mask), module.embed_text(other_text, mask))
    torch.testing.assert_close(module.embed_motion(motion, mask), module.embed_motion(other_motion, mask))


def test_training_brings_a_pair_together() -> None:
    torch.manual_seed(0)
    module = Alignment(16, 8)
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    text, motion = torch.randn(6, 4, 16), torch.randn(6, 7, 8)
    masks = torch.ones(6, 4, dtype=torch.bool), torch.ones(6, 7, dtype=torch.bool)
    for _ in range(60):
        loss = module.loss(module.embed_text(text, masks[0]), module.embed_motion(motion, masks[1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sim = module.embed_text(text, masks[0]) @ module.embed_motion(motion, masks[1]).T
    assert (sim.argmax(1) == torch.arange(6)).all()
