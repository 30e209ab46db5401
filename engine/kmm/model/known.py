"""What is given, as tokens: the model fills in around them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kmm import rotations as rot
from kmm.clip import FPS, Clip
from kmm.contacts import foot_contacts
from kmm.given import Given
from kmm.model import features as ft
from kmm.model.tokenizer import FRAMES_PER_TOKEN, Tokenizer
from kmm.model.windows import token_count

_HELD = 7  #: tokens that a motion is held still beyond its ends: further than a token's reach


def known_tokens(tokenizer: Tokenizer, given: Given, frames: int) -> tuple[Tensor, NDArray[np.bool_]]:
    """Tokens (n, 6) of a motion of so many frames, and which of them (n,) are known from what is given.

    Of a stretch those are known of which all frames are given. Of a lone pose its token is: what it holds besides
    the pose is how the body would move there on the straight way from one given pose to the next.
    """
    count = token_count(frames)
    tokens = torch.zeros(count, tokenizer.config.layers, dtype=torch.long)
    known = np.zeros(count, dtype=bool)
    straight: Tensor | None = None  # tokens from the first given frame's on
    for start, length in given.stretches:
        stop = start + length
        first, last = token_count(start), stop // FRAMES_PER_TOKEN
        if stop == frames:  # what the last token holds beyond the end is nobody's
            last = count
        if first < last:
            low, made = start, _encoded(tokenizer, given, start, stop)
        else:
            low, high = int(given.frames[0]), int(given.frames[-1]) + 1
            straight = made = _encoded(tokenizer, given, low, high) if straight is None else straight
            first, last = start // FRAMES_PER_TOKEN, token_count(stop)
        known[first:last] = True
        begin = low // FRAMES_PER_TOKEN
        tokens[first:last] = made[first - begin : last - begin]
    return tokens, known


@torch.inference_mode()
def encode(tokenizer: Tokenizer, features: NDArray[np.float32], phase: int = 0) -> Tensor:
    """Tokens (n, 6) of features that begin `phase` frames within a token; both ends are held to whole tokens."""
    held = _HELD * FRAMES_PER_TOKEN
    after = -(phase + len(features)) % FRAMES_PER_TOKEN
    whole = np.pad(features, ((held + phase, after + held), (0, 0)), mode="edge")
    device = next(tokenizer.parameters()).device
    tokens = tokenizer.encode(torch.from_numpy(whole)[None].to(device))[0]
    return tokens[_HELD : len(tokens) - _HELD].cpu()


def _encoded(tokenizer: Tokenizer, given: Given, start: int, stop: int) -> Tensor:
    features = _features(_between(given, np.arange(start, stop)))
    return encode(tokenizer, features, start % FRAMES_PER_TOKEN)


def _between(given: Given, frames: NDArray[np.int64]) -> Clip:
    """The motion that goes straight from one given pose to the next, at some frames."""
    at = given.frames
    left = np.searchsorted(at, frames, side="right") - 1
    right = np.minimum(left + 1, len(at) - 1)
    share = (frames - at[left]) / np.maximum(at[right] - at[left], 1)
    translation, rotations = given.translation.astype(np.float64), given.rotations.astype(np.float64)
    return Clip(
        translation[left] + (translation[right] - translation[left]) * share[:, None],
        rot.slerp(rotations[left], rotations[right], share[:, None]),
        FPS,
    )


def _features(clip: Clip) -> NDArray[np.float32]:
    features = ft.encode(replace(clip, contacts=foot_contacts(clip.joints(), FPS)))
    features[0, :3] = features[1, :3] if len(features) > 1 else 0.0  # it leads here from the origin, else
    return np.asarray(features, dtype=np.float32)
