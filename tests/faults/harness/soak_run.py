"""A farm under random faults for as long as wanted, and whether anything of it grows."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
from faults.harness.farm import PATIENCE_S, Sent, Servers, StruckFarm, outlasting
from faults.harness.verifier import Account, verify

from winepress import Conflict
from winepress_shared.errors import FarmUnreachable
from winepress_shared.state import JobState

_WORKERS = 3  #: the first is never killed, so that its growth can be seen
_FULL_UNITS = 40
_PAUSE_S = (0.2, 3.0)  #: between two faults
_SAMPLE_S = 2.0
_FROZEN_S = 1.5
#: Most growth from the second quarter of the time to its last: beyond it something leaks.
MOST_GROWTH: Mapping[str, float] = {"MiB": 12.0, "files": 8.0, "threads": 3.0}


@dataclass(frozen=True)
class Sample:
    """One process at one moment."""

    at: float
    values: Mapping[str, float]


@dataclass
class SoakReport:
    """The outcome."""

    account: Account
    faults: Counter[str]
    ended: Counter[str]
    samples: dict[str, list[Sample]]  #: process → samples
    minutes: float

    def growth(self, process: str, name: str) -> float:
        """From the median of the second quarter to that of the last."""
        values = [sample.values[name] for sample in self.samples[process]]
        quarter = max(1, len(values) // 4)
        return statistics.median(values[-quarter:]) - statistics.median(
            values[quarter : 2 * quarter]
        )

    def slope(self, process: str, name: str) -> float:
        """By linear regression over all but the first quarter, per hour."""
        samples = self.samples[process][len(self.samples[process]) // 4 :]
        times = [sample.at / 3600 for sample in samples]
        return statistics.linear_regression(times, [s.values[name] for s in samples]).slope

    def grown(self) -> list[str]:
        """What grew beyond its limit."""
        return [
            f"{process} by {self.growth(process, name):.1f} {name}"
            for process in self.samples
            for name, most in MOST_GROWTH.items()
            if self.growth(process, name) > most
        ]


@dataclass
class SoakRun:
    """One run on one farm."""

    minutes: float
    seed: int
    _faults: Counter[str] = field(default_factory=Counter)
    _samples: dict[str, list[Sample]] = field(default_factory=dict)

    def run(self, folder: Path) -> SoakReport:
        """Start the farm below ``folder``, disturb it, and verify what remained."""
        with (
            Servers.running(folder) as servers,
            StruckFarm(servers, folder / "farm", {"step_s": 0.03}) as farm,
        ):
            farm.start_workers(_WORKERS)
            self._disturb(farm)
            farm.await_ended(5 * PATIENCE_S)
            ended = {one.handle.id: one.handle.status().state for one in farm.sent}
            good = [one for one in farm.sent if ended[one.handle.id] is JobState.SUCCEEDED]
            account = verify(farm, succeeded=good)
            allowed = (JobState.SUCCEEDED, JobState.CANCELED, JobState.FAILED)
            account.lost += [job for job, state in ended.items() if state not in allowed]
        states = Counter(map(str, ended.values()))
        return SoakReport(account, self._faults, states, self._samples, self.minutes)

    def _disturb(self, farm: StruckFarm) -> None:
        chance = random.Random(f"soak {self.seed}")
        over_at = time.monotonic() + 60 * self.minutes
        next_at = sample_at = 0.0
        while (now := time.monotonic()) < over_at:
            if outlasting(farm.open_units) < _FULL_UNITS:
                farm.submit(1, n=chance.randint(1, 4))
            if now >= sample_at:
                sample_at = now + _SAMPLE_S
                self._sample(farm)
            if now >= next_at:
                next_at = now + chance.uniform(*_PAUSE_S)
                name = chance.choice(list(_FAULTS))
                self._faults[name] += 1
                with suppress(FarmUnreachable, Conflict):
                    _FAULTS[name](farm, chance)
            time.sleep(0.02)

    def _sample(self, farm: StruckFarm) -> None:
        first, servers = farm.workers[0], farm.servers
        pids = {"parent": first.pid, "renderer": first.renderer_pid, "broker": servers.broker.pid}
        for name, pid in pids.items():
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                values = {
                    "MiB": process.memory_info().rss / 2**20,
                    "files": float(process.num_fds()),
                    "threads": float(process.num_threads()),
                }
                self._samples.setdefault(name, []).append(Sample(time.monotonic(), values))


def _struck(farm: StruckFarm, chance: random.Random) -> int:
    return chance.randrange(1, len(farm.workers))


def _newest(farm: StruckFarm) -> Sequence[Sent]:
    return farm.sent[-1:]


def _freeze_broker(farm: StruckFarm, chance: random.Random) -> None:
    with farm.servers.broker.frozen():
        time.sleep(_FROZEN_S)


def _cancel(farm: StruckFarm, chance: random.Random) -> None:
    for one in _newest(farm):
        one.handle.cancel()


def _pause(farm: StruckFarm, chance: random.Random) -> None:
    for one in _newest(farm):
        farm.client.pause(one.handle.id)
        outlasting(partial(farm.client.resume, one.handle.id))


def _lose_tickets(farm: StruckFarm, chance: random.Random) -> None:
    farm.broker.delete(farm.key("queue:vignette.fp16"))


_FAULTS: Mapping[str, Callable[[StruckFarm, random.Random], object]] = {
    "renderer killed": lambda farm, chance: farm.workers[_struck(farm, chance)].kill_renderer(),
    "parent killed": lambda farm, chance: farm.workers[_struck(farm, chance)].kill_parent(),
    "worker killed": lambda farm, chance: farm.workers[_struck(farm, chance)].kill_group(),
    "broker restarted": lambda farm, chance: farm.servers.broker.restart(),
    "store restarted": lambda farm, chance: farm.servers.store.restart(),
    "broker frozen": _freeze_broker,
    "connections dropped": lambda farm, chance: farm.drop_connections(),
    "job canceled": _cancel,
    "job paused": _pause,
    "tickets lost": _lose_tickets,
}
