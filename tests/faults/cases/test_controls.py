"""Cancels and pauses at every moment, and workers that are told to stop."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import pytest
from faults.harness.farm import Sent, StruckFarm, await_true
from faults.harness.verifier import verify

from winepress import Conflict, JobState

_SLOW = 40
_PAUSES = 50
_WORKERS = 4


def _stored(farm: StruckFarm, one: Sent) -> set[str]:
    folder = f"jobs/{one.handle.id}/out/"
    return {found.key for found in farm.client.archive.store.list(folder)}


@pytest.mark.case(33)
@pytest.mark.lengthy
def test_a_cancel_at_any_moment_leaves_a_job_either_canceled_or_done(farm: StruckFarm) -> None:
    """Queued, in its middle, at its last step, and after its end, which is refused."""
    farm.start_workers(1)
    running, ending, queued, done = farm.submit(4, n=1, num_inference_steps=_SLOW)
    farm.await_begun()
    asked_at = time.monotonic()
    for one in (queued, running):
        assert one.handle.cancel() is JobState.CANCELED
    assert time.monotonic() - asked_at < 2 * 2.0
    for event in ending.handle.events():
        if event.name == "progress" and int(event.fields["step"]) >= _SLOW - 2:
            break
    with suppress(Conflict):  # it may be quicker
        ending.handle.cancel()
    farm.await_ended()
    with pytest.raises(Conflict):
        done.handle.cancel()
    verify(farm, succeeded=[done]).assert_kept()
    for one in (running, queued, ending):
        row = one.handle.status()
        assert len(_stored(farm, one)) >= row.done
        assert (row.state is JobState.SUCCEEDED) == (row.done == 1)
    assert not _stored(farm, queued)


@pytest.mark.case(35)
@pytest.mark.lengthy
def test_fifty_pauses_of_a_running_job_cost_no_picture_and_no_attempt(farm: StruckFarm) -> None:
    """Pictures in hand are finished each time."""
    farm.start_workers(2)
    (sent,) = farm.submit(1, n=40)
    farm.await_begun()
    for _ in range(_PAUSES):
        farm.client.pause(sent.handle.id)
        farm.client.resume(sent.handle.id)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.drawn_again == 0
    assert {output.attempts for output in sent.handle.result.outputs} == {1}


@pytest.mark.case(36)
@pytest.mark.lengthy
def test_a_worker_told_to_stop_ends_in_order_and_costs_no_attempt(farm: StruckFarm) -> None:
    """What it has in hand is delivered or handed on, and it exits as if nothing were wrong."""
    (leaving,) = farm.start_workers(1)
    (sent,) = farm.submit(1, n=6, num_inference_steps=_SLOW)
    farm.await_begun()
    leaving.keep(kept=False)
    leaving.send(signal.SIGTERM)
    assert leaving.wait_ended() == 0
    farm.start_workers(1)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.drawn_again == 0
    assert {output.attempts for output in sent.handle.result.outputs} == {1}


@pytest.mark.case(37)
@pytest.mark.lengthy
@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT,), (signal.SIGINT,)],
    ids=["TERM-TERM", "QUIT", "INT"],
)
def test_no_way_to_stop_a_worker_fails_a_picture(
    farm: StruckFarm, signals: tuple[signal.Signals, ...]
) -> None:
    """Told twice, told to quit, or by Ctrl-C: it is started again, and the job succeeds."""
    (worker,) = farm.start_workers(1)
    farm.submit(2, n=3, num_inference_steps=_SLOW)
    farm.await_begun()
    for number in signals:
        worker.send(number)
        time.sleep(0.2)
    await_true(lambda: worker.starts > 1)
    farm.await_ended()
    verify(farm).assert_kept()


@pytest.mark.case(38)
@pytest.mark.lengthy
def test_four_workers_replaced_one_by_one_under_load(farm: StruckFarm) -> None:
    """As a new version is rolled out: each is stopped in order, and its successor started."""
    old = farm.start_workers(_WORKERS)
    for number, worker in enumerate(old, 1):
        farm.submit(8)
        farm.await_drawn(farm.witness.drawn().total() + 3)
        worker.keep(kept=False)
        worker.send(signal.SIGTERM)
        assert worker.wait_ended() == 0, f"worker {number}"
        farm.start_workers(1)
    farm.await_ended()
    account = verify(farm)
    account.assert_kept()
    assert account.drawn_again == 0
    attempts = {o.attempts for one in farm.sent for o in one.handle.result.outputs}
    assert attempts == {1}


@pytest.mark.case(39)
@pytest.mark.lengthy
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "frozen"])
def test_any_worker_reconciles_when_another_no_longer_does(
    farm: StruckFarm, is_killed: bool
) -> None:
    """There is no leader to wait for: a lost ticket is issued again by whoever lives."""
    first, _ = farm.start_workers(2)
    first.keep(kept=False)
    if is_killed:
        first.kill_group()
    else:
        first.freeze()
    farm.submit(2)
    farm.broker.delete(farm.key("queue:vignette.fp16"))
    farm.await_ended()
    first.freeze(thaw=True)
    account = verify(farm)
    account.assert_kept()
    assert account.drawn_again == 0
