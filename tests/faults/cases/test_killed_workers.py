"""Processes of a worker that are killed or frozen at a chosen moment."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from faults.harness.farm import StruckFarm, await_true
from faults.harness.kill_run import KillRun, Terms
from faults.harness.schedule import Victim
from faults.harness.script_calls import ScriptCalls
from faults.harness.tcp_proxy import Treatment
from faults.harness.verifier import verify
from faults.harness.worker_processes import is_alive

from .conftest import SEED

_GONE_S = 35.0  #: a lease and a sweep
_SLACK_S = 30.0  #: for a busy machine
_SLOW = 40  #: steps of a picture that is to be struck in its middle; more than a second


@pytest.mark.case(1)
@pytest.mark.lengthy
def test_a_killed_parent_takes_its_renderer_along_and_its_pictures_are_drawn(
    farm: StruckFarm,
) -> None:
    """Nothing goes on drawing for a worker that is dead."""
    (worker,) = farm.start_workers(1)
    farm.submit(2, n=2, num_inference_steps=_SLOW)
    farm.await_begun()
    renderer = worker.renderer_pid
    assert renderer
    assert worker.kill_parent()
    await_true(lambda: not is_alive(renderer))
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(1)
@pytest.mark.lengthy
def test_a_machine_that_is_gone_has_its_picture_drawn_elsewhere(farm: StruckFarm) -> None:
    """Nobody starts its worker again; the lease ends half a minute after its last beat."""
    (gone,) = farm.start_workers(1)
    (sent,) = farm.submit(1, n=1, num_inference_steps=_SLOW)
    farm.await_begun()
    gone.keep(kept=False)
    assert gone.kill_group()
    killed_at = time.monotonic()
    farm.start_workers(1)
    farm.await_begun(2)
    assert time.monotonic() - killed_at < _GONE_S + _SLACK_S
    farm.await_ended()
    verify(farm).assert_kept()
    assert {output.worker for output in sent.handle.result.outputs} == {"w2"}


@pytest.mark.case(2)
@pytest.mark.lengthy
def test_a_killed_renderer_costs_an_attempt_of_its_picture_and_nothing_else(
    farm: StruckFarm,
) -> None:
    """The parent stays, the picture in hand is drawn a second time, and no third."""
    (worker,) = farm.start_workers(1)
    (sent,) = farm.submit(1, n=3, num_inference_steps=_SLOW)
    farm.await_drawn()
    farm.await_begun(2)
    parent = worker.pid
    assert worker.kill_renderer()
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert worker.pid == parent
    assert 1 <= account.begun_again <= 2
    assert sum(output.attempts for output in sent.handle.result.outputs) <= 4


@pytest.mark.case(3)
@pytest.mark.lengthy
def test_a_whole_worker_killed_at_random_phases(tmp_path: Path) -> None:
    """Forty times, parent and renderer at once; `make kills` does thousands of all kinds."""
    report = KillRun(Terms(40, SEED, workers=3, mix={Victim.GROUP: 1.0})).run(tmp_path)
    report.account.assert_kept()


@pytest.mark.case(5)
@pytest.mark.lengthy
def test_a_kill_between_claim_and_first_step_gives_the_slice_to_the_next(
    farm: StruckFarm, script_calls: ScriptCalls
) -> None:
    """The ledger has handed out a slice, and whoever asked for it never hears of it."""
    (worker,) = farm.start_workers(1)
    script_calls.strike_at("claim", worker.kill_group, Treatment.DROP_REPLY)
    farm.submit(1)
    farm.await_ended()
    assert script_calls.struck.is_set()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0


@pytest.mark.case(6)
def test_a_kill_after_the_picture_is_stored_and_before_it_is_counted(
    farm: StruckFarm, script_calls: ScriptCalls
) -> None:
    """The stored picture is adopted: one object, and it is not drawn again."""
    (worker,) = farm.start_workers(1)
    script_calls.strike_at("commit", worker.kill_group, Treatment.SWALLOW)
    farm.submit(1, n=1)
    farm.await_ended()
    assert script_calls.struck.is_set()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again == 0


@pytest.mark.case(7)
def test_a_kill_after_the_picture_is_counted_and_before_the_worker_hears_of_it(
    farm: StruckFarm, script_calls: ScriptCalls
) -> None:
    """What is counted is not drawn again, and the job gets its end."""
    (worker,) = farm.start_workers(1)
    script_calls.strike_at("commit", worker.kill_group, Treatment.DROP_REPLY)
    (sent,) = farm.submit(1, n=2)
    farm.await_ended()
    assert script_calls.struck.is_set()
    verify(farm).assert_kept()
    assert sent.job.seed is not None
    assert farm.witness.drawn()[sent.job.prompt, sent.job.seed] == 1


@pytest.mark.case(8)
@pytest.mark.lengthy
def test_a_worker_frozen_for_longer_than_its_lease_counts_nothing_when_it_thaws(
    farm: StruckFarm,
) -> None:
    """Another one has drawn its pictures by then; what the first one still holds is refused."""
    (frozen,) = farm.start_workers(1)
    (sent,) = farm.submit(1, n=2, num_inference_steps=_SLOW)
    farm.await_begun()
    frozen.freeze()
    farm.start_workers(1)
    farm.await_ended()
    frozen.freeze(thaw=True)
    farm.submit(2)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.begun_again >= 1
    assert {one.worker for one in sent.handle.result.outputs} == {"w2"}
