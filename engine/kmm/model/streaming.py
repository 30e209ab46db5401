"""From tokens to frames, as soon as no later token can change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kmm.clip import FPS, Clip
from kmm.given import Given
from kmm.model import features as ft
from kmm.model.fitting import TRANSITION_FRAMES, Fit, close
from kmm.model.footing import Footing
from kmm.model.planting import plant
from kmm.model.tokenizer import FRAMES_PER_TOKEN, Tokenizer

_BEYOND = 2  #: frames after the end of a loop that say how it would have gone on


@dataclass(frozen=True)
class Frames:
    """Final poses of frames [start, start + n), float32; shapes as in Clip."""

    start: int
    translation: NDArray[np.float32]
    rotations: NDArray[np.float32]
    contacts: NDArray[np.float32]


class FrameStream:
    """Tokens in, frames out: those that no later token can change, fitted to what is given.

    With `loop` the tokens must go on after the last frame as they began, for as long as the decoder reaches.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        total: int,
        given: Given | None = None,
        loop: bool = False,
        transition: int = TRANSITION_FRAMES,
    ) -> None:
        self.total, self.sent = total, 0
        self._features = FeatureStream(tokenizer, total + _BEYOND if loop else total)
        self._pose = _fitted(given, transition) if given else _free()
        free = total - max(_BEYOND, int(given.frames[-1]) + 1 if given else 0)
        self._close = _closed(total, min(transition, free)) if loop else None

    def push(self, tokens: Tensor, last: bool) -> Frames | None:
        """The frames that are final now that tokens (n, 6) have come; `last` if none will follow."""
        clip = self._pose(self._features.push(tokens, last))
        if self._close:
            clip = self._close(clip)
        if not len(clip):
            return None
        start, self.sent = self.sent, self.sent + len(clip)
        assert clip.contacts is not None
        f32 = np.float32
        return Frames(
            start, clip.translation.astype(f32), clip.rotations.astype(f32), clip.contacts.astype(f32)
        )


class FeatureStream:
    """Tokens in, features (n, 140) out, standing feet planted; the same as decoding all at once."""

    def __init__(self, tokenizer: Tokenizer, total: int) -> None:
        self.tokenizer, self.total = tokenizer, total
        self.tokens = torch.zeros(0, tokenizer.config.layers, dtype=torch.long)
        self.dropped = 0  # tokens that no frame to come depends on
        self.sent = 0  # frames
        self._before: NDArray[np.float32] | None = None  # the last frame planted
        self._footing = Footing()

    def push(self, tokens: Tensor, last: bool) -> NDArray[np.float32]:
        reach = self.tokenizer.reach
        self.tokens = torch.cat([self.tokens, tokens])
        known = self.dropped + len(self.tokens)
        stop = min(self.total, (known if last else known - reach) * FRAMES_PER_TOKEN)
        if stop <= self.sent:
            return np.zeros((0, ft.DIM), np.float32)
        first = self.dropped * FRAMES_PER_TOKEN
        features = decode(self.tokenizer, self.tokens)[self.sent - first : stop - first]
        self.sent = stop
        useless = max(0, self.sent // FRAMES_PER_TOKEN - reach - self.dropped)
        self.tokens, self.dropped = self.tokens[useless:], self.dropped + useless
        planted = plant(features, self._before)
        self._before = planted[-1]
        return self._footing(planted)


@torch.inference_mode()
def decode(tokenizer: Tokenizer, tokens: Tensor) -> NDArray[np.float32]:
    """Features (4 n, 140) of tokens (n, 6)."""
    device = next(tokenizer.parameters()).device
    out: NDArray[np.float32] = tokenizer.decode(tokens[None].to(device))[0].cpu().numpy()
    return out


def _free() -> Callable[[NDArray[np.float32]], Clip]:
    """Features to frames of a motion that starts at the origin facing -Y."""
    state: ft.RootState | None = None

    def pose(features: NDArray[np.float32]) -> Clip:
        nonlocal state
        if state is None and len(features):
            features[0, :3], state = 0.0, ft.RootState()
        clip, end = ft.decode(features, state)
        state = state and end
        return clip

    return pose


def _fitted(given: Given, transition: int) -> Callable[[NDArray[np.float32]], Clip]:
    """Features to frames that meet the given ones; nothing comes before the last given one is reached."""
    held = np.zeros((0, ft.DIM), np.float32)
    fit: Fit | None = None

    def pose(features: NDArray[np.float32]) -> Clip:
        nonlocal held, fit
        if fit is None:
            held = features = np.concatenate([held, features])
            if len(held) <= given.frames[-1]:
                return _nothing()
            fit = Fit(held, given, transition)
        return fit(features)

    return pose


def _closed(total: int, bent: int) -> Callable[[Clip], Clip]:
    """Holds the last `bent` frames back until those beyond the end are there, and bends them into the start."""
    held, first, seen = _nothing(), _nothing(), 0

    def take(clip: Clip) -> Clip:
        nonlocal held, first, seen
        first = _joined(first, clip.slice(0, _BEYOND - len(first)))
        held, seen = _joined(held, clip), seen + len(clip)
        if seen < total + _BEYOND:
            ready = min(len(held), max(0, total - bent - (seen - len(held))))
            out, held = held.slice(0, ready), held.slice(ready, len(held))
            return out
        ready = len(held) - bent - _BEYOND
        out = held.slice(0, ready)
        return _joined(out, close(held.slice(ready, len(held)), first)) if bent > 0 else out

    return take


def _nothing() -> Clip:
    return Clip(np.zeros((0, 3)), np.zeros((0, 22, 4)), FPS, np.zeros((0, 4)))


def _joined(a: Clip, b: Clip) -> Clip:
    """The frames of one after the other, as they are."""
    assert a.contacts is not None and b.contacts is not None
    return Clip(
        np.concatenate([a.translation, b.translation]),
        np.concatenate([a.rotations, b.rotations]),
        FPS,
        np.concatenate([a.contacts, b.contacts]),
    )
