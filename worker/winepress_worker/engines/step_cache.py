"""Stands in for the denoiser in some steps, from what it computed in earlier ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import torch

#: The denoiser's named inputs. All but the timestep begin with the axis of the batch.
Inputs = dict[str, Any]
#: Computes the denoiser's output, of shape (batch, channels, height, width).
Network = Callable[[Inputs], torch.Tensor]

_POINTS = 2  #: that make a line


class StepCache(Protocol):
    """What is kept of computed steps, and a cheaper way to the output of the next ones.

    Items of a batch must not influence each other. When a batch shrinks, its last items remain:
    without guidance only the second half of a batch is computed.
    """

    def compute(self, step: int, inputs: Inputs) -> torch.Tensor:
        """The denoiser's output, computed; keeps what `predict` needs."""

    def can_predict(self, batch: int) -> bool:
        """Whether enough is kept for the last ``batch`` items."""

    def predict(self, step: int, inputs: Inputs) -> torch.Tensor:
        """The output of a later step, without the whole computation."""


class Extrapolation:
    """Continues the line through the last two computed outputs, over the numbers of their steps."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._computed: deque[tuple[int, torch.Tensor]] = deque(maxlen=_POINTS)

    def compute(self, step: int, inputs: Inputs) -> torch.Tensor:
        """Run the network; see `StepCache.compute`."""
        output = self._network(inputs)
        self._computed.append((step, output))
        return output

    def can_predict(self, batch: int) -> bool:
        """After two computed outputs of at least ``batch`` items."""
        sizes = [output.shape[0] for _, output in self._computed]
        return len(sizes) == _POINTS and min(sizes) >= batch

    def predict(self, step: int, inputs: Inputs) -> torch.Tensor:
        """The line's value at ``step``."""
        batch = inputs["sample"].shape[0]
        (first, before), (second, last) = (
            (number, output[-batch:]) for number, output in self._computed
        )
        # One rounded operation after the other: a fused one would round differently at the ends of
        # vectors, and a picture's bytes would depend on its place in the batch.
        slope = (last - before) / (second - first)
        return last + slope * (step - second)
