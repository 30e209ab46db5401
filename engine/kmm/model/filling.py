"""Filling one window: masked tokens are restored by confidence, then the residual layers are added.

MaskGIT's schedule (arXiv 2202.04200) with classifier-free guidance. What is known stays as it is: the tokens before
and after the window, and key poses inside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kmm.model.generator import GIVEN, SEGMENT, Generator, Layout
from kmm.model.weights import Sampling
from kmm.model.windows import Window


class Filling:
    """One window at work: `run` it to its end, then take the `result`."""

    def __init__(
        self,
        model: Generator,
        sampling: Sampling,
        window: Window,
        text: tuple[Tensor, Tensor],
        noise: torch.Generator,
        tokens: tuple[Tensor, Tensor, Tensor],
        known: Tensor,
    ) -> None:
        """text: latents of the prompt and of "any text" (2, N, width), and their mask (2, N).

        tokens: those before the window (b, 6), in it (n, 6), after it (a, 6); known (n,): which in it are to stay.
        """
        self.model, self.sampling, self.noise = model, sampling, noise
        self.text, self.mask = text
        before, inside, after = tokens
        self.inside = slice(len(before), len(before) + len(inside))
        self.unknown = int((~known).sum())
        at = torch.arange(window.first - len(before), window.last + len(after))
        role = torch.full_like(at, GIVEN)
        role[self.inside] = SEGMENT
        device = self.text.device
        self.layout = Layout(*(t[None].to(device) for t in (role, at - window.start, window.end - 1 - at)))
        self.known = known.to(device)
        inside = inside.clone()
        inside[~known] = 0
        inside[~known, 0] = model.mask_token
        self.tokens = torch.cat([before, inside, after])[None].to(device)

    def run(self, guidance: float) -> Iterator[float]:
        """Works one network evaluation at a time; yields the share of the work done after each."""
        layers = self.model.config.token_layers
        steps = min(self.sampling.steps, self.unknown)
        evaluations = steps + layers - 1
        for step in range(steps):
            self._restore(step, steps, guidance)
            yield (step + 1) / evaluations
        for layer in range(1, layers):
            self._refine(layer)
            yield (steps + layer) / evaluations

    def result(self) -> Tensor:
        """(n, 6) the window's tokens, on the CPU."""
        return self.tokens[0, self.inside].cpu()

    @torch.inference_mode()
    def _restore(self, step: int, steps: int, guidance: float) -> None:
        """One evaluation of the masked Mamba: keep the surest guesses, as many as the cosine schedule says."""
        base = self.tokens[..., 0]
        two = Layout(
            *(t.expand(2, -1) for t in (self.layout.role, self.layout.since_start, self.layout.to_end))
        )
        logits = self.model.logits(self.text, self.mask, base.expand(2, -1), two)
        logits = logits[:, self.inside].float().cpu()
        logits = logits[1] + guidance * (logits[0] - logits[1])
        open_ = (base[0, self.inside] == self.model.mask_token).cpu()
        floor = logits.topk(min(self.sampling.keep, logits.shape[-1]), dim=-1).values[:, -1:]
        probability = (logits / self.sampling.temperature).masked_fill(logits < floor, -torch.inf).softmax(-1)
        guess = torch.multinomial(probability, 1, generator=self.noise)[:, 0]
        confidence = probability.gather(-1, guess[:, None])[:, 0].clamp(min=1e-9).log()
        # noise that fades lets early steps explore and late steps trust the network
        uniform = torch.rand(len(guess), generator=self.noise).clamp(1e-9, 1 - 1e-9)
        confidence = confidence - (1 - (step + 1) / steps) * (-uniform.log()).log()
        confidence = confidence.masked_fill(~open_, -torch.inf)
        remain = int(np.floor(self.unknown * np.cos(0.5 * np.pi * (step + 1) / steps) + 1e-9))
        take = int(open_.sum()) - remain
        if take > 0:
            chosen = confidence.topk(take).indices
            self.tokens[0, self.inside.start + chosen, 0] = guess[chosen].to(self.tokens.device)

    @torch.inference_mode()
    def _refine(self, layer: int) -> None:
        logits = self.model.residual_logits(self.text[:1], self.mask[:1], self.tokens, layer, self.layout)
        fine = logits[0, self.inside].argmax(-1)
        self.tokens[0, self.inside, layer] = torch.where(self.known, self.tokens[0, self.inside, layer], fine)
