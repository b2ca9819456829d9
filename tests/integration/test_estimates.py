"""Place, time and limit of a job on a real broker, as its producer is told."""

from __future__ import annotations

import pytest
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client, Priority
from winepress.estimate import Work

PACE = {"megapixel_steps_per_s": {LANE: 0.1}, "seconds_per_picture": {LANE: 2.0}}
_COST = 256 * 256 * 20 / 1e6  #: megapixel-steps of the picture of this file


def order(client: Client, n: int = 1, user: str = "ann", **fields: object) -> str:
    job = apple(n=n, num_inference_steps=20, size="256x256", **fields)
    return client.submit(job, user=user).id


def test_a_job_is_told_its_place_its_end_and_the_limit_of_a_picture(
    client: Client, manual_worker: ManualWorker
) -> None:
    """In status and in explain, from the pace the one worker published."""
    manual_worker.live(LANE)
    manual_worker.ledger.describe_renderer("manual", PACE)
    order(client, 4)
    order(client, 3, "bob", priority=Priority.INTERACTIVE)
    last = order(client, 5)
    found = client.get(last).estimate()
    assert found.ahead == 7
    assert found.starts_in_s == pytest.approx(14)
    assert found.ends_in_s == pytest.approx(14 + 5 * _COST / 0.1)
    assert found.limit_s == pytest.approx(10 * _COST / 0.1)
    told = client.explain(last)
    assert "Pictures before it: 7" in told
    assert "it starts in about 0:00:14 and ends in about 0:01:20" in told
    assert "Time limit of a picture: 0:02:11" in told


def test_what_was_measured_outlives_the_worker_that_measured_it(
    client: Client, manual_worker: ManualWorker
) -> None:
    """The next worker on such a device is expected to be as fast."""
    manual_worker.live(LANE)
    manual_worker.ledger.describe_renderer("manual", PACE)
    manual_worker.ledger.leave("manual")
    assert client.get(order(client)).estimate().ends_in_s is None
    manual_worker.live(LANE)
    assert client.get(order(client)).estimate().draws_s == pytest.approx(_COST / 0.1)


def test_a_job_not_yet_submitted_waits_behind_what_its_user_has_waiting(
    client: Client, manual_worker: ManualWorker
) -> None:
    """The dry run of a batch asks this."""
    manual_worker.live(LANE)
    manual_worker.ledger.describe_renderer("manual", PACE)
    order(client, 6)
    work = Work(LANE, 1, 10, _COST)
    assert client.estimate_new(work, "ann").ahead == 6
    assert client.estimate_new(work, "bob").ahead == 3, "one turn of the other user"


def test_what_is_being_drawn_counts_in_estimates_and_in_explain(
    client: Client, manual_worker: ManualWorker
) -> None:
    """A normal job waits for the slice in hand, an interactive one for its picture."""
    manual_worker.live(LANE)
    manual_worker.ledger.describe_renderer("manual", PACE)
    order(client, 300, "bob")
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 30)
    assert slice_ is not None
    dry_run = client.estimate_new(Work(LANE, 1, 1, _COST), "ann")
    assert dry_run.starts_in_s
    assert dry_run.starts_in_s >= 2.0 * 30
    bulk = order(client, 300, "eve", priority=Priority.BULK)
    urgent = client.get(order(client, 1, "ann", priority=Priority.INTERACTIVE)).estimate()
    assert urgent.ahead == 1
    assert urgent.starts_in_s == pytest.approx(2.0)
    told = client.explain(bulk)
    assert f"Pictures of other jobs that these workers have in hand: {len(slice_.units)}." in told


def test_explain_names_what_holds_a_job_back(client: Client, manual_worker: ManualWorker) -> None:
    """The user, the lane, the farm; with the command that lets it go on."""
    manual_worker.live(LANE)
    job = order(client)
    client.farm.pause(user="ann")
    client.farm.pause(lane=LANE)
    client.farm.pause()
    told = client.explain(job)
    for words in ("user ann is paused", "--user ann", f"--lane {LANE}", "whole farm is paused"):
        assert words in told
    for scope in ({"user": "ann"}, {"lane": LANE}, {}):
        client.farm.resume(**scope)
    assert "paused" not in client.explain(job)


def test_explain_names_the_limit_that_keeps_a_user_waiting(
    client: Client, manual_worker: ManualWorker
) -> None:
    """How many slices are drawn, and how many may be."""
    client.farm.set_limits({"user_running_limit": 1})
    manual_worker.live(LANE)
    order(client)
    assert manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    told = client.explain(order(client))
    assert "ann has 1 slice in work, and the limit is 1" in told
