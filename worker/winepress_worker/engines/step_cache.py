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
    """Continues the line through the last two computed outputs, over the numbers of their steps.

    Where there is only one yet, it is held.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._computed: deque[tuple[int, torch.Tensor]] = deque(maxlen=_POINTS)

    def compute(self, step: int, inputs: Inputs) -> torch.Tensor:
        """Run the network; see `StepCache.compute`."""
        output = self._network(inputs)
        self._computed.append((step, output))
        return output

    def can_predict(self, batch: int) -> bool:
        """After an output of at least ``batch`` items."""
        return bool(self._computed) and self._computed[-1][1].shape[0] >= batch

    def predict(self, step: int, inputs: Inputs) -> torch.Tensor:
        """The line's value at ``step``."""
        batch = inputs["sample"].shape[0]
        (first, before), (second, last) = (
            (number, output[-batch:]) for number, output in (self._computed[0], self._computed[-1])
        )
        if before.shape[0] < batch or first == second:
            return last
        # One rounded operation after the other: a fused one would round differently at the ends of
        # vectors, and a picture's bytes would depend on its place in the batch.
        slope = (last - before) / (second - first)
        return last + slope * (step - second)
