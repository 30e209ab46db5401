"""Lanes: several requests advance together, sharing every evaluation of the network.

Each request runs in a thread of its own, in a lane: a pipeline whose generator is a stand-in that waits until every
lane wants an evaluation. Then those that want the same one are put into one batch. So the sampler is written once,
for one request, and knows nothing of this.

A request must give the same motion whoever it shares a batch with. Sums in floating point depend on the shapes that
a kernel is called with, so these are always the same: every batch has `size` places, filled up with copies, and
every sequence is padded to a length that its own request decides. A place's numbers then come from its own content
alone; tests compare them bit for bit.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from kmm.model.generator import Generator, Layout
from kmm.model.pipeline import Pipeline

# Lengths are padded to multiples of these: most prompts and every window of the sampler then have one shape. Both are
# multiples of 16, so that a place fills whole vector registers and none is computed as the remainder of a loop.
_TEXT = 16
_MOTION = 64


@dataclass(eq=False)
class _Call:
    """What a lane waits for: logits of `layer` (0: those of the masked Mamba)."""

    layer: int
    text: Tensor  # (rows, n, width), padded
    text_mask: Tensor
    tokens: Tensor  # (rows, t) or (rows, t, layers), padded
    layout: Layout
    age: int = 1  # evaluations that have gone by, this one included
    answer: Tensor | Exception | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Calls of the same shape can share a batch."""
        return (self.layer, *self.text.shape[:2], *self.tokens.shape)


@dataclass
class Lanes:
    """Room for `size` requests at a time."""

    pipeline: Pipeline
    size: int
    _busy: int = 0  # lanes with a request in them
    _waiting: list[_Call] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def lane(self) -> Iterator[Pipeline]:
        """A pipeline for one thread and one request; waits until a lane is free."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy < self.size)
            self._busy += 1
        try:
            own = copy.copy(self.pipeline)
            own.generator = cast(Generator, _StandIn(self))
            yield own
        finally:
            with self._changed:
                self._busy -= 1
                self._evaluate_if_all_wait()
                self._changed.notify_all()

    def _ask(self, call: _Call) -> Tensor:
        with self._changed:
            self._waiting.append(call)
            self._evaluate_if_all_wait()
            self._changed.wait_for(lambda: call.answer is not None)
        if isinstance(call.answer, Exception):
            raise call.answer
        return cast(Tensor, call.answer)

    def _evaluate_if_all_wait(self) -> None:
        """One batch: of the largest group, or of a smaller one that has waited for long."""
        if not self._waiting or len(self._waiting) < self._busy:
            return
        groups: dict[tuple[int, ...], list[_Call]] = {}
        for call in self._waiting:
            groups.setdefault(call.shape, []).append(call)
        group = max(groups.values(), key=lambda calls: sum(call.age for call in calls))[: self.size]
        self._waiting = [call for call in self._waiting if call not in group]
        for call in self._waiting:
            call.age += 1
        try:
            self._evaluate(group)
        except Exception as problem:  # every lane's request ends with it, none waits for ever
            for call in group:
                call.answer = problem
        self._changed.notify_all()

    @torch.inference_mode()
    def _evaluate(self, calls: list[_Call]) -> None:
        full = (calls * self.size)[: self.size]
        text, mask, tokens = (
            torch.cat([getattr(call, name) for call in full]) for name in ("text", "text_mask", "tokens")
        )
        layout = Layout(
            *(
                torch.cat([getattr(call.layout, name) for call in full])
                for name in ("role", "since_start", "to_end")
            )
        )
        model, layer = self.pipeline.generator, calls[0].layer
        logits = (
            model.residual_logits(text, mask, tokens, layer, layout)
            if layer
            else model.logits(text, mask, tokens, layout)
        )
        for call, answer in zip(full, logits.chunk(self.size), strict=True):
            if call.answer is None:
                call.answer = answer


class _StandIn:
    """Looks like the generator to the sampler of one lane."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes, self._generator = lanes, lanes.pipeline.generator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def logits(self, text: Tensor, text_mask: Tensor, tokens: Tensor, layout: Layout) -> Tensor:
        return self._ask(0, text, text_mask, tokens, layout)

    def residual_logits(
        self, text: Tensor, text_mask: Tensor, tokens: Tensor, layer: int, layout: Layout
    ) -> Tensor:
        return self._ask(layer, text, text_mask, tokens, layout)

    @torch.inference_mode()
    def _ask(self, layer: int, text: Tensor, text_mask: Tensor, tokens: Tensor, layout: Layout) -> Tensor:
        before, after = -text.shape[1] % _TEXT, -tokens.shape[1] % _MOTION
        call = _Call(
            layer,
            F.pad(text, (0, 0, before, 0)),
            F.pad(text_mask, (before, 0)),
            F.pad(tokens, (0, 0) * (tokens.dim() - 2) + (0, after)),
            Layout(*(F.pad(part, (0, after)) for part in (layout.role, layout.since_start, layout.to_end))),
        )
        return self._lanes._ask(call)[:, : tokens.shape[1]]
