"""Filling one window: masked tokens are restored by confidence, then the residual layers are added.

MaskGIT's schedule (arXiv 2202.04200), for the first layer with classifier-free guidance, for the second once more:
what the first leaves open, the lift of a foot or how fast one turns, must fit together along the motion. What is
known stays as it is: the tokens before and after the window, and key poses inside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kmm.model.generator import GIVEN, SEGMENT, Generator, Layout
from kmm.model.weights import Sampling
from kmm.model.windows import Window

#: Of the second layer, which has less to choose: at 1 jumps and steps came out less often as told.
SECOND_TEMPERATURE = 0.5


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
        inside[~known] = model.mask_token
        self.tokens = torch.cat([before, inside, after])[None].to(device)

    def run(self, guidance: float) -> Iterator[float]:
        """Works one network evaluation at a time; yields the share of the work done after each."""
        first, second = (min(n, self.unknown) for n in (self.sampling.steps, self.sampling.second))
        finer = range(2 if second else 1, self.model.config.token_layers)
        evaluations = first + second + len(finer)
        for step in range(first):
            self._restore(0, self._guided(guidance) / self.sampling.temperature, step, first)
            yield (step + 1) / evaluations
        for step in range(second):
            self._restore(1, self._refined(1) / SECOND_TEMPERATURE, step, second)
            yield (first + step + 1) / evaluations
        for done, layer in enumerate(finer, first + second + 1):
            guess = self._refined(layer).argmax(-1).to(self.tokens.device)
            own = self.tokens[0, self.inside, layer]
            self.tokens[0, self.inside, layer] = torch.where(self.known, own, guess)
            yield done / evaluations

    def result(self) -> Tensor:
        """(n, 6) the window's tokens, on the CPU."""
        return self.tokens[0, self.inside].cpu()

    @torch.inference_mode()
    def _guided(self, guidance: float) -> Tensor:
        """(n, codes) logits of the masked Mamba, on the CPU; from one evaluation where it learned this guidance."""
        if 1 <= guidance <= self.model.config.guided:
            scale = torch.tensor([guidance], device=self.text.device)
            return self._masked(self.model.emphasised(self.text[:1], scale))[0]
        plain, nothing = self._masked(self.text)
        return nothing + guidance * (plain - nothing)

    def _masked(self, text: Tensor) -> Tensor:
        """(b, n, codes) logits of the masked Mamba for the first b of the two texts, on the CPU."""
        rows = len(text)
        layout = self.layout
        many = Layout(*(t.expand(rows, -1) for t in (layout.role, layout.since_start, layout.to_end)))
        logits = self.model.logits(text, self.mask[:rows], self.tokens[..., 0].expand(rows, -1), many)
        return logits[:, self.inside].float().cpu()

    @torch.inference_mode()
    def _refined(self, layer: int) -> Tensor:
        """(n, codes) logits of the residual Mamba for a layer, on the CPU."""
        logits = self.model.residual_logits(self.text[:1], self.mask[:1], self.tokens, layer, self.layout)
        return logits[0, self.inside].float().cpu()

    def _restore(self, layer: int, logits: Tensor, step: int, steps: int) -> None:
        """Keep the surest guesses of a layer, as many as the cosine schedule says."""
        open_ = (self.tokens[0, self.inside, layer] == self.model.mask_token).cpu()
        floor = logits.topk(min(self.sampling.keep, logits.shape[-1]), dim=-1).values[:, -1:]
        probability = logits.masked_fill(logits < floor, -torch.inf).softmax(-1)
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
            self.tokens[0, self.inside.start + chosen, layer] = guess[chosen].to(self.tokens.device)
