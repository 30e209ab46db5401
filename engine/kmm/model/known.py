"""What is given, as tokens: the model fills in around them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kmm import rotations as rot
from kmm.clip import FPS, Clip
from kmm.given import Given
from kmm.model import features as ft
from kmm.model.tokenizer import FRAMES_PER_TOKEN, Tokenizer
from kmm.model.windows import token_count


def known_tokens(tokenizer: Tokenizer, given: Given, frames: int) -> tuple[Tensor, NDArray[np.bool_]]:
    """Tokens (n, 6) of a motion of so many frames, and which of them (n,) are known from what is given.

    Of a stretch those are known of which all frames are given. Of a lone pose its token is: what it holds besides
    the pose is how the body would move there on the straight way from one given pose to the next.
    """
    count = token_count(frames)
    tokens = torch.zeros(count, tokenizer.config.layers, dtype=torch.long)
    known = np.zeros(count, dtype=bool)
    if not given:
        return tokens, known
    for start, length in given.stretches:
        first, stop = token_count(start), (start + length) // FRAMES_PER_TOKEN
        if start + length == frames:  # what the last token holds beyond the end is nobody's
            stop = count
        if first >= stop:
            first, stop = start // FRAMES_PER_TOKEN, token_count(start + length)
        known[first:stop] = True
    low = int(given.frames[0]) // FRAMES_PER_TOKEN
    high = token_count(int(given.frames[-1]) + 1)
    tokens[low:high] = encode(tokenizer, _straight(given), int(given.frames[0]) % FRAMES_PER_TOKEN)
    return tokens, known


@torch.inference_mode()
def encode(tokenizer: Tokenizer, features: NDArray[np.float32], phase: int = 0) -> Tensor:
    """Tokens (n, 6) of features that begin `phase` frames within a token; both ends are held to whole tokens."""
    after = -(phase + len(features)) % FRAMES_PER_TOKEN
    whole = np.pad(features, ((phase, after), (0, 0)), mode="edge")
    device = next(tokenizer.parameters()).device
    return tokenizer.encode(torch.from_numpy(whole)[None].to(device))[0].cpu()


def _straight(given: Given) -> NDArray[np.float32]:
    """Features of the motion from the first given frame to the last that goes straight from pose to pose."""
    at = given.frames
    frames = np.arange(at[0], at[-1] + 1)
    left = np.searchsorted(at, frames, side="right") - 1
    right = np.minimum(left + 1, len(at) - 1)
    share = (frames - at[left]) / np.maximum(at[right] - at[left], 1)
    translation, rotations = given.translation.astype(np.float64), given.rotations.astype(np.float64)
    features = ft.encode(
        Clip(
            translation[left] + (translation[right] - translation[left]) * share[:, None],
            rot.slerp(rotations[left], rotations[right], share[:, None]),
            FPS,
        )
    )
    features[0, :3] = features[1, :3] if len(features) > 1 else 0.0  # it leads here from the origin, else
    return np.asarray(features, dtype=np.float32)
