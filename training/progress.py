"""Shared by the training loops: learning rates, averaged weights, saved states."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

log = logging.getLogger("training")

_WARM_UP: Final = 100  # steps
_SAVE_EVERY: Final = 120.0  # seconds
_REPORT_EVERY: Final = 50  # steps


@dataclass(frozen=True)
class Budget:
    """The time limit, step limit and learning rate of one stage."""

    minutes: float
    rate: float  # the highest learning rate
    batch: int
    most_steps: int = 0  # 0: only the time limit
    seed: int = 0


@dataclass
class Clock:
    """Counts a stage's steps and time, and derives the learning rate from them."""

    budget: Budget
    began: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)
    step: int = 0

    @property
    def passed(self) -> float:
        """The fraction of the stage that has passed."""
        by_time = (time.monotonic() - self.began) / (self.budget.minutes * 60)
        by_step = self.step / self.budget.most_steps if self.budget.most_steps else 0.0
        return max(by_time, by_step)

    def learning_rate(self) -> float:
        """Rises quickly, stays, and falls linearly over the last 55 % of the stage."""
        fall = min(1.0, max(0.03, 1 - (self.passed - 0.45) / 0.55))
        return self.budget.rate * min(1.0, (self.step + 1) / _WARM_UP) * fall

    def due_to_save(self) -> bool:
        """True once per interval: the state should be saved."""
        if time.monotonic() - self.saved < _SAVE_EVERY:
            return False
        self.saved = time.monotonic()
        return True

    def report(self, stage: str, numbers: Mapping[str, float]) -> None:
        """Log a line at intervals."""
        if self.step % _REPORT_EVERY:
            return
        pace = self.step * self.budget.batch / (time.monotonic() - self.began)
        words = " ".join(f"{name} {value:.4f}" for name, value in numbers.items())
        log.info("%s step %d: %s, %.1f samples/s", stage, self.step, words, pace)


class Averages:
    """Moving averages of a network's weights, which are shipped."""

    def __init__(self, network: nn.Module, memory: float = 0.999) -> None:
        """Start from the current weights."""
        self._named = dict(network.named_parameters())
        self._kept = [parameter.detach().clone() for parameter in self._named.values()]
        self._memory = memory
        self._steps = 0

    def update(self) -> None:
        """Move towards the current weights."""
        self._steps += 1
        memory = min(self._memory, self._steps / (self._steps + 9))
        present = [parameter.detach() for parameter in self._named.values()]
        torch._foreach_lerp_(self._kept, present, 1 - memory)

    def weights(self) -> dict[str, torch.Tensor]:
        """The averages by name."""
        return {name: kept.clone() for name, kept in zip(self._named, self._kept, strict=True)}


def make_optimizer(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Build the optimizer that every stage uses."""
    return torch.optim.AdamW(
        list(parameters), lr=rate, weight_decay=1e-3, betas=(0.9, 0.99), fused=True
    )


def advance(
    loss: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, rate: float
) -> None:
    """Take one step down the loss."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state to a temporary file and rename it, so that it is never incomplete."""
    fresh = path.with_suffix(".new")
    torch.save(dict(state), fresh)
    fresh.replace(path)


def load_state(path: Path) -> dict[str, Any]:
    """Read a state (tensors and plain values only)."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
