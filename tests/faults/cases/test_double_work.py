"""Two workers that hold the same picture, and one that has no memory."""

from __future__ import annotations

import psutil
import pytest
from faults.harness.farm import StruckFarm, await_true
from faults.harness.verifier import verify

_SLOW = 40


@pytest.mark.case(25)
@pytest.mark.lengthy
def test_of_two_workers_with_the_same_picture_one_counts_it(farm: StruckFarm) -> None:
    """The lease of the first ends while it is frozen; it thaws when the second one draws."""
    (first,) = farm.start_workers(1)
    farm.submit(1, n=1, num_inference_steps=_SLOW)
    farm.await_begun()
    first.freeze()
    farm.start_workers(1)
    leases = farm.key("leases")
    farm.broker.zadd(leases, dict.fromkeys(farm.broker.zrange(leases, 0, -1), 1), xx=True)
    farm.await_begun(2)
    first.freeze(thaw=True)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 1


@pytest.mark.case(29)
@pytest.mark.lengthy
def test_a_renderer_without_memory_costs_no_picture(farm: StruckFarm) -> None:
    """No byte beyond what it has: whatever becomes of it, its pictures are drawn."""
    (first,) = farm.start_workers(1)
    farm.submit(2)
    farm.await_ended()
    renderer = first.renderer_pid
    assert renderer
    process = psutil.Process(renderer)
    held = process.memory_info().vms
    process.rlimit(psutil.RLIMIT_AS, (held, held))
    farm.start_workers(1)
    farm.submit(6, width=512, height=512)
    farm.await_ended()
    await_true(lambda: not farm.open_units())
    verify(farm).assert_kept()
