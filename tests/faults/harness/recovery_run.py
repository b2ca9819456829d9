"""How fast a farm draws before and after each fault, and how soon it is as fast again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.harness.farm import Servers, StruckFarm, outlasting
from faults.harness.progress_meter import ProgressMeter

from winepress import Priority

_WORKERS = 3
_PICTURES = 10_000  #: of the one job; more than are drawn
_BEFORE_S, _AFTER_S, _WINDOW_S = 15.0, 15.0, 3.0
_PATIENCE_S = 120.0
_LOOK_S = 0.1
_AS_FAST = 0.95  #: share of the throughput before, from which on a farm has recovered
_OUTAGE_S = 2.0
_KILLS, _PAUSE_S = 10, 0.5


@dataclass(frozen=True)
class Recovery:
    """What one fault cost."""

    fault: str
    before: float  #: pictures per second
    after: float
    seconds: float  #: from the end of the fault until a window was as fast as before

    @property
    def ratio(self) -> float:
        """Throughput after the fault ÷ before it."""
        return self.after / self.before


def recoveries(folder: Path) -> Iterator[Recovery]:
    """Each fault on a farm of its own, one after the other."""
    with Servers.running(folder) as servers:
        for number, (fault, strike) in enumerate(_FAULTS.items()):
            with StruckFarm(servers, folder / f"farm-{number}", {"step_s": 0.05}) as farm:
                yield _recovery(farm, fault, strike)


def _recovery(farm: StruckFarm, fault: str, strike: Callable[[StruckFarm], None]) -> Recovery:
    farm.start_workers(_WORKERS)
    farm.submit(1, n=_PICTURES, priority=Priority.BULK)
    farm.await_drawn(5 * _WORKERS)
    with ProgressMeter(lambda: _PICTURES - farm.open_units()) as meter:
        time.sleep(_BEFORE_S)
        struck_at = time.monotonic()
        before = meter.rate(struck_at - _BEFORE_S, struck_at)
        strike(farm)
        over_at = time.monotonic()
        fast_at = _await_as_fast(meter, over_at, _AS_FAST * before)
        time.sleep(_AFTER_S)
        after = meter.rate(fast_at, fast_at + _AFTER_S)
    return Recovery(fault, before, after, fast_at - over_at)


def _await_as_fast(meter: ProgressMeter, since: float, rate: float) -> float:
    """The beginning of the first window that is as fast."""
    while time.monotonic() < since + _PATIENCE_S:
        time.sleep(_LOOK_S)
        begin = time.monotonic() - _WINDOW_S
        if begin >= since and meter.rate(begin, begin + _WINDOW_S) >= rate:
            return begin
    raise AssertionError("the farm never was as fast again")


def _restart_broker(farm: StruckFarm) -> None:
    farm.servers.broker.kill()
    time.sleep(_OUTAGE_S)
    farm.servers.broker.start()


def _restart_store(farm: StruckFarm) -> None:
    farm.servers.store.kill()
    time.sleep(_OUTAGE_S)
    farm.servers.store.start()


def _kill_renderers(farm: StruckFarm) -> None:
    for number in range(_KILLS):
        farm.workers[number % _WORKERS].kill_renderer()
        time.sleep(_PAUSE_S)


def _kill_parents(farm: StruckFarm) -> None:
    for number in range(_KILLS):
        farm.workers[number % _WORKERS].kill_parent()
        time.sleep(_PAUSE_S)


def _exhaust_connections(farm: StruckFarm) -> None:
    most = farm.broker.config_get("maxclients")["maxclients"]
    farm.broker.config_set("maxclients", 1)
    farm.drop_connections()
    time.sleep(_OUTAGE_S)
    outlasting(lambda: farm.broker.config_set("maxclients", most))


_FAULTS: dict[str, Callable[[StruckFarm], None]] = {
    "broker restarted after 2 s": _restart_broker,
    "store restarted after 2 s": _restart_store,
    "10 renderers killed in 5 s": _kill_renderers,
    "10 parents killed in 5 s": _kill_parents,
    "no connection to the broker for 2 s": _exhaust_connections,
}
