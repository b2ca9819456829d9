"""How soon a free worker goes on with the picture of one whose renderer or machine is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults.harness.farm import Servers, StruckFarm, await_true
from faults.harness.kill_run import begun_again
from faults.harness.worker_processes import WorkerProcesses

_WORKERS = 3
_RENDERERS, _MACHINES = 20, 5  #: so many are killed, one after the other
_STEP_S = 0.5  #: of four of a picture


def handovers(folder: Path) -> Iterator[tuple[str, list[float]]]:
    """Whose end it was, and seconds from each kill to the picture's next beginning."""
    with (
        Servers.running(folder) as servers,
        StruckFarm(servers, folder / "farm", {"step_s": _STEP_S}) as farm,
    ):
        farm.start_workers(_WORKERS)
        yield "renderer", [_handover(farm, _kill_renderer) for _ in range(_RENDERERS)]
        machines = []
        for _ in range(_MACHINES):
            machines.append(_handover(farm, _lose_machine))
            farm.start_workers(1)
        yield "machine", machines


def _kill_renderer(victim: WorkerProcesses) -> None:
    assert victim.kill_renderer()


def _lose_machine(victim: WorkerProcesses) -> None:
    """None of its processes comes back."""
    victim.end()


def _handover(farm: StruckFarm, kill: Callable[[WorkerProcesses], None]) -> float:
    """Submit one picture when all workers have drawn, and kill whoever begins it."""
    _have_all_draw(farm)
    farm.submit(1, n=1)
    lines, known = farm.witness.lines, len(farm.witness.lines())
    await_true(lambda: len(lines()) > known)
    pid, killed_at = lines()[known].pid, time.monotonic()
    kill(next(one for one in farm.workers if one.renderer_pid == pid))
    await_true(lambda: begun_again(lines(), pid, killed_at) is not None)
    again = begun_again(lines(), pid, killed_at)
    farm.await_ended()
    assert again is not None
    return again - killed_at


def _have_all_draw(farm: StruckFarm) -> None:
    """A renderer that has just started must load its model; one that failed thrice is left out."""

    def have_all() -> bool:
        drawn = {line.pid for line in farm.witness.lines() if line.is_end}
        return {one.renderer_pid for one in farm.workers if one.pid} <= drawn

    while not have_all():
        farm.submit(_WORKERS, n=1)
        farm.await_ended()
