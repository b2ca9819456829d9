"""A bulk survives what kills its workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from support.running_farm import RunningFarm

from winepress.bulk.line import Line
from winepress.bulk.plan import Plan, PlanOptions
from winepress.bulk.submission import submit_plan
from winepress.submit_options import SubmitOptions

_ITEMS = 2000
_KILLS = 4
_PATIENCE_S = 240


@pytest.mark.slow
def test_a_batch_of_2000_interrupted_by_kills_has_2000_objects_each_once(
    running_farm: RunningFarm, renderer_pid: Callable[[str], int]
) -> None:
    """Each with the seed of its own item, whoever drew it."""
    client = running_farm.client
    defaults = {"size": "64x64", "num_inference_steps": 1, "priority": "bulk"}
    plan = Plan(client.catalogue, PlanOptions(defaults=defaults))
    # Seeds that no counting on from the first item would give.
    plan.add(Line(n + 1, {"prompt": f"cat {n}", "seed": 7 * n}) for n in range(_ITEMS))
    (handle,) = submit_plan(client, plan, SubmitOptions("ann"))
    workers = [worker.name for worker in running_farm.farm.workers]
    deadline = time.monotonic() + _PATIENCE_S
    for kill in range(1, _KILLS + 1):
        while handle.status().done < kill * _ITEMS // (_KILLS + 2):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(renderer_pid(workers[kill % 2]), signal.SIGKILL)
    handle.wait(_PATIENCE_S)
    running_farm.assert_exactly_once([handle])
    outputs = handle.result.outputs
    assert [output.seed for output in outputs] == [7 * n for n in range(_ITEMS)]
    assert len({output.sha256 for output in outputs}) == _ITEMS
