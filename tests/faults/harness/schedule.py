"""What is struck, and when: drawn from a seed, so that anyone can strike the same blows again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_LONGEST_PAUSE = 2.0  #: of the mean pause; pauses are uniform, so that every phase is as likely


class Victim(StrEnum):
    """What a SIGKILL is sent to."""

    RENDERER = "renderer"  #: the process that draws
    PARENT = "parent"  #: the worker's own process; the kernel takes its renderer along
    GROUP = "group"  #: both at once
    BROKER = "broker"
    STORE = "store"


#: How often each is struck, in the headline run.
MIX: Mapping[Victim, float] = MappingProxyType(
    {
        Victim.RENDERER: 0.45,
        Victim.PARENT: 0.12,
        Victim.GROUP: 0.15,
        Victim.BROKER: 0.26,
        Victim.STORE: 0.02,
    }
)


@dataclass(frozen=True)
class Strike:
    """One SIGKILL."""

    pause_s: float  #: after the one before
    victim: Victim
    worker: int  #: which of the workers, if it is one's


def strikes(
    seed: int, count: int, workers: int, mean_pause_s: float, mix: Mapping[Victim, float] = MIX
) -> Iterator[Strike]:
    """``count`` strikes at random phases, the same for the same arguments."""
    chance = random.Random(f"strikes {seed}")
    victims, weights = list(mix), list(mix.values())
    for _ in range(count):
        (victim,) = chance.choices(victims, weights)
        pause_s = chance.uniform(0.0, _LONGEST_PAUSE * mean_pause_s)
        yield Strike(pause_s, victim, chance.randrange(workers))
