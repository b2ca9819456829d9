"""A farm under a hail of SIGKILLs, and the account of what it did to the jobs."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.harness.farm import PATIENCE_S, Servers, StruckFarm, await_true, outlasting
from faults.harness.progress_meter import ProgressMeter
from faults.harness.schedule import MIX, Strike, Victim, strikes
from faults.harness.verifier import Account, verify
from faults.harness.witness import Line
from faults.harness.worker_processes import WorkerProcesses

from winepress_shared.state import JobState

_FULL_UNITS = 60  #: pictures that wait while the run goes on
_FEED_S = 0.1
_MOST_PICTURES = 4  #: of a job
_LOOK_S = 0.02
_RECENT = 500  #: lines of the witness, in which every living worker is
_GIVEN_UP = "its worker died"  #: reason of a picture that was in hand at three kills


@dataclass(frozen=True)
class Terms:
    """What makes two runs the same."""

    kills: int
    seed: int
    workers: int = 6
    mean_pause_s: float = 0.1
    is_forked: bool = False  #: see `ForkedWorkers`; for thousands of kills in an hour
    step_s: float = 0.05  #: of four of a picture
    mix: Mapping[Victim, float] = field(default_factory=lambda: MIX)


@dataclass(frozen=True)
class Hit:
    """One SIGKILL that was sent to a process that lived and worked."""

    victim: Victim
    at: float
    pid: int  #: of the renderer, where it was one worker's


@dataclass
class KillReport:
    """The outcome of a run."""

    terms: Terms
    account: Account
    hits: list[Hit] = field(default_factory=list)
    in_hand: int = 0  #: kills of workers in the middle of a picture
    given_up: int = 0  #: jobs with a picture that was in hand at three kills; drawn when retried
    recoveries: dict[Victim, list[float]] = field(default_factory=dict)  #: seconds
    seconds: float = 0.0

    @property
    def killed(self) -> Counter[Victim]:
        """Victim → kills."""
        return Counter(hit.victim for hit in self.hits)


class KillRun:
    """One run on one farm."""

    def __init__(self, terms: Terms, say: Callable[[str], None] = lambda line: None) -> None:
        self._terms = terms
        self._say = say
        self._hits: list[Hit] = []
        self._given_up = 0
        self._retried_at = math.inf  #: what is drawn later shows nothing of how soon work goes on

    def run(self, folder: Path) -> KillReport:
        """Start the farm below ``folder``, strike it, and verify what remained."""
        terms, began = self._terms, time.monotonic()
        engine = {"step_s": terms.step_s}
        with (
            Servers.running(folder) as servers,
            StruckFarm(servers, folder / "farm", engine) as farm,
        ):
            if terms.is_forked:
                farm.fork_workers(terms.workers)
            else:
                farm.start_workers(terms.workers)
            with ProgressMeter(farm.succeeded) as meter, self._fed(farm):
                for number, strike in enumerate(self._schedule(), 1):
                    time.sleep(strike.pause_s)
                    self._strike(farm, meter, strike)
                    if number % 100 == 0:
                        self._say(f"{number} kills, {len(farm.sent)} jobs")
                self._say("the last kill is done; the rest is drawn in peace")
            self._await_succeeded(farm)
            report = KillReport(terms, verify(farm), self._hits, given_up=self._given_up)
            self._look_back(farm.witness.lines(), meter, report)
        report.seconds = time.monotonic() - began
        return report

    def _schedule(self) -> Iterator[Strike]:
        terms = self._terms
        return strikes(terms.seed, terms.kills, terms.workers, terms.mean_pause_s, terms.mix)

    # -- jobs --------------------------------------------------------------------------------

    @contextmanager
    def _fed(self, farm: StruckFarm) -> Iterator[None]:
        """Submit jobs, while inside, so that work never runs out."""
        over = threading.Event()
        chance = random.Random(f"jobs {self._terms.seed}")

        def feed() -> None:
            while not over.wait(_FEED_S):
                while outlasting(farm.open_units) < _FULL_UNITS and not over.is_set():
                    farm.submit(1, n=chance.randint(1, _MOST_PICTURES))

        with ThreadPoolExecutor(1, thread_name_prefix="feeder") as pool:
            feeder = pool.submit(feed)
            try:
                yield
            finally:
                over.set()
                feeder.result()

    def _await_succeeded(self, farm: StruckFarm) -> None:
        """Have each job drawn to its end; one that was given up is retried, as its user would."""
        farm.await_ended(10 * PATIENCE_S)
        self._retried_at = time.monotonic()
        for one in farm.sent:
            row = one.handle.status()
            if row.state is JobState.FAILED and _GIVEN_UP in row.reason:
                self._given_up += 1
                farm.client.retry(one.handle.id)
        farm.await_ended()

    # -- kills -------------------------------------------------------------------------------

    def _strike(self, farm: StruckFarm, meter: ProgressMeter, strike: Strike) -> None:
        if strike.victim in (Victim.BROKER, Victim.STORE):
            self._strike_server(farm, meter, strike.victim)
        else:
            self._strike_worker(farm, strike)

    def _strike_server(self, farm: StruckFarm, meter: ProgressMeter, victim: Victim) -> None:
        """Kill a server under load, not one that has not been used since its last start."""
        servers = farm.servers
        server = servers.broker if victim is Victim.BROKER else servers.store
        last = max((hit.at for hit in self._hits if hit.victim is victim), default=0.0)
        await_true(lambda: meter.first_after(last) is not None)
        self._hits.append(Hit(victim, time.monotonic(), server.pid))
        server.restart()

    def _strike_worker(self, farm: StruckFarm, strike: Strike) -> None:
        """Kill that worker or the next, whichever has drawn a picture since it was started."""
        victims = farm.workers[strike.worker :] + farm.workers[: strike.worker]
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            drawing = {line.pid for line in farm.witness.lines()[-_RECENT:] if line.is_end}
            for worker in victims:
                pid = worker.renderer_pid
                if pid in drawing and pid and self._kill(worker, strike.victim, pid):
                    return
            time.sleep(_LOOK_S)
        raise AssertionError(f"no worker draws any more: {farm.standing()}")

    def _kill(self, worker: WorkerProcesses, victim: Victim, pid: int) -> bool:
        at = time.monotonic()
        kill = {
            Victim.RENDERER: worker.kill_renderer,
            Victim.PARENT: worker.kill_parent,
            Victim.GROUP: worker.kill_group,
        }[victim]
        if not kill():
            return False
        self._hits.append(Hit(victim, at, pid))
        return True

    # -- afterwards --------------------------------------------------------------------------

    def _look_back(self, lines: list[Line], meter: ProgressMeter, report: KillReport) -> None:
        """When each interrupted picture was begun again, and when jobs ended again."""
        for hit in self._hits:
            if hit.victim in (Victim.BROKER, Victim.STORE):
                again = meter.first_after(hit.at)
            else:
                again = begun_again(lines, hit.pid, hit.at)
                report.in_hand += again is not None
            if again is not None and again < self._retried_at:
                report.recoveries.setdefault(hit.victim, []).append(again - hit.at)


def begun_again(lines: list[Line], pid: int, killed_at: float) -> float | None:
    """When the picture that a killed renderer had in hand was begun again; None if it had none."""
    mine = [line for line in lines if line.pid == pid and line.at <= killed_at]
    if not mine or mine[-1].is_end:
        return None
    later = (line for line in lines if line.at > killed_at and line.picture == mine[-1].picture)
    return next((line.at for line in later if not line.is_end), None)
