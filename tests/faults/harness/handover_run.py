"""How soon a picture in hand is begun again elsewhere, when its renderer or its machine is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults.harness.farm import Servers, StruckFarm, await_true
from faults.harness.kill_run import begun_again
from faults.harness.worker_processes import WorkerProcesses

from winepress import Priority

_WORKERS = 3
_PICTURES = 10_000  #: of the one job; more than are drawn
_RENDERERS, _MACHINES = 20, 5  #: so many are killed, one after the other
_LOOK_S = 0.02
_RECENT = 500  #: lines of the witness, in which every living worker is
_STEP_S = 0.1  #: of four of a picture


def handovers(folder: Path) -> Iterator[tuple[str, list[float]]]:
    """Whose end it was, and seconds from each kill to the picture's next beginning."""
    with (
        Servers.running(folder) as servers,
        StruckFarm(servers, folder / "farm", {"step_s": _STEP_S}) as farm,
    ):
        farm.start_workers(_WORKERS)
        farm.submit(1, n=_PICTURES, priority=Priority.BULK)
        victims = [farm.workers[number % _WORKERS] for number in range(_RENDERERS)]
        yield "renderer", [_handover(farm, one, one.kill_renderer) for one in victims]
        yield "machine", [_lost_machine(farm) for _ in range(_MACHINES)]


def _lost_machine(farm: StruckFarm) -> float:
    """The same of one more worker, none of whose processes comes back."""
    (victim,) = farm.start_workers(1)
    victim.keep(kept=False)
    return _handover(farm, victim, victim.kill_group)


def _handover(farm: StruckFarm, victim: WorkerProcesses, kill: Callable[[], bool]) -> float:
    """Seconds from the kill of a worker at work to the next beginning of its picture."""
    pid = _await_drawing(farm, victim)
    killed_at = time.monotonic()
    assert kill()
    lines = farm.witness.lines
    await_true(lambda: begun_again(lines(), pid, killed_at) is not None)
    again = begun_again(lines(), pid, killed_at)
    assert again is not None
    return again - killed_at


def _await_drawing(farm: StruckFarm, victim: WorkerProcesses) -> int:
    """The process id of its renderer, which has just begun a picture."""

    def drawing() -> int | None:
        recent, renderer = farm.witness.lines()[-_RECENT:], victim.renderer_pid
        last = [line for line in recent if line.pid == renderer][-1:]
        is_new = last and not last[0].is_end and time.monotonic() - last[0].at < _STEP_S
        return last[0].pid if is_new else None

    while (pid := drawing()) is None:
        time.sleep(_LOOK_S)
    return pid
