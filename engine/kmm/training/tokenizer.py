"""Stage 1: train the residual VQ-VAE on windows of features; and stage 4, its decoder once more.

Half of the batches are short windows, which clips of a second can give too. In some windows the upper body is
that of another window: arms that are told apart from legs, in more pairings than the recordings show.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kmm.foot_lock import LEGS
from kmm.model import features as ft
from kmm.model import kinematics as kin
from kmm.model.tokenizer import Tokenizer
from kmm.training.store import Store

#: Weights of the losses. Positions and path are metres, so they come out small beside normalised features. Without
#: the loss on rotations what moves no joint (the head's turn, the arms' twist) stays 20 degrees and more off.
POSITION, ROTATION, VELOCITY, PATH, COMMITMENT = 25.0, 15.0, 40.0, 2.0, 0.02
BETA = (
    0.1  #: normalised features further off than this are judged by L1: squares forgive small errors too early
)
LONG, SHORT = 64, 24  #: frames of a window
DROPOUT = 0.2  #: share of windows that are made of their first few layers of codes
EXCHANGED = 0.25  #: share of windows with an upper body from another one
_LOWER = {joint for leg in LEGS for joint in (*leg.chain, leg.toe)}
#: Features of all joints above the pelvis but the legs'.
UPPER = np.concatenate([np.r_[ft.rotation(joint)] for joint in range(22) if joint not in _LOWER])


class TokenizerStage:
    """Reconstruction in features, joint positions, velocities and path (see `loss`)."""

    name = "tokenizer"

    def __init__(self, module: Tokenizer, train: Store, validation: Store, batch: int) -> None:
        self.module: nn.Module = module
        self.train, self.validation = train, validation
        self.batch = batch  # windows of LONG frames; of short ones as many more

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Nearly L1 on normalised features, plus what people see: where joints are, how they move, the path."""
        assert isinstance(self.module, Tokenizer)
        frames = LONG if rng.random() < 0.5 else SHORT
        windows = self.train.windows(rng, self.batch * LONG // frames, frames)
        target = torch.from_numpy(exchange(windows, rng)).to(self.module.mean.device)
        output, commitment = self.reconstruct(target)
        feature = F.smooth_l1_loss((output - target) / self.module.std, torch.zeros_like(target), beta=BETA)
        with torch.no_grad():
            joints = kin.positions(target)
            moved = kin.velocities(target, joints)
            # feet on the floor should stay there: their velocity errors count more
            heavy = torch.ones_like(moved[..., :1])
            heavy[..., [7, 10, 8, 11], 0] += 3 * target[:, 1:, ft.CONTACTS]
        guess = kin.positions(output)
        position = (guess - joints).abs().mean()
        rotation = (kin.matrices(output) - kin.matrices(target)).abs().mean()
        velocity = ((kin.velocities(output, guess) - moved).abs() * heavy).mean()
        path = (kin.path(output) - kin.path(target)).abs().mean()
        total = feature + POSITION * position + ROTATION * rotation + VELOCITY * velocity + PATH * path
        total = total + COMMITMENT * commitment
        return total, {
            "feature": feature.item(),
            "position_mm": 1000 * position.item(),
            "rotation": rotation.item(),
            "velocity_mm": 1000 * velocity.item(),
            "path": path.item(),
            "commitment": commitment.item(),
        }

    def reconstruct(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """What comes back of features (B, T, 140), and the commitment loss."""
        output, commitment, _ = self.module(target, dropout=DROPOUT)
        return output, commitment

    def validate(self, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, Tokenizer)
        return reconstruction(module, self.validation)


class DecoderStage(TokenizerStage):
    """The decoder alone is trained on, also on motions that the codes were not found with: joined ones.

    A fast fist comes out slow where the decoder has met no such arms on such a body. Tokens stay what they are, so
    the generator that was trained on them goes on fitting.
    """

    name = "decoder"

    def __init__(self, module: Tokenizer, train: Store, validation: Store, batch: int) -> None:
        super().__init__(module, train, validation, batch)
        module.requires_grad_(False)
        module.decoder.requires_grad_(True)

    def reconstruct(self, target: Tensor) -> tuple[Tensor, Tensor]:
        assert isinstance(self.module, Tokenizer)
        self.module.quantizer.eval()  # its codes stay where they are
        with torch.no_grad():
            quantized, commitment, _ = self.module.quantizer(self.module.latents(target), DROPOUT)
        return self.module.decode_latents(quantized), commitment


def exchange(windows: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Windows (B, T, 140), some of them with the upper body of the one before."""
    out = windows.copy()
    taken = np.flatnonzero(rng.random(len(windows)) < EXCHANGED)
    out[taken[:, None, None], np.arange(windows.shape[1])[:, None], UPPER] = windows[taken - 1][..., UPPER]
    return out


@torch.no_grad()
def reconstruction(tokenizer: Tokenizer, store: Store, limit: int = 20_000) -> dict[str, float]:
    """Figures of whole clips through the tokenizer: mean joint error (mm, pelvis-aligned in place and heading),
    mean rotation error (degrees, over 22 joints), and the share of codes in use, mean over the layers."""
    frames = 0
    distance = angle = 0.0
    device = tokenizer.mean.device
    used = torch.zeros(tokenizer.config.layers, tokenizer.config.codes, dtype=torch.bool, device=device)
    for index in np.random.default_rng(0).permutation(len(store.length)):
        clip = store.clip(int(index))
        usable = len(clip) // 4 * 4
        if not usable:
            continue
        target = torch.from_numpy(clip[:usable])[None].to(device)
        tokens = tokenizer.encode(target)
        output = tokenizer.decode(tokens)
        for layer in range(tokenizer.config.layers):
            used[layer, tokens[..., layer].flatten()] = True
        distance += float((kin.positions(output) - kin.positions(target)).norm(dim=-1).mean(-1).sum())
        relative = kin.matrices(output).transpose(-1, -2) @ kin.matrices(target)
        cosine = (relative.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
        angle += float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean(-1).sum())
        frames += usable
        if frames > limit:
            break
    return {
        "joint_error_mm": 1000 * distance / frames,
        "rotation_error_deg": angle / frames,
        "codes_used": float(used.float().mean()),
    }
