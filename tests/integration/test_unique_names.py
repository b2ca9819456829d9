"""A worker's name as the ledger knows it."""

from __future__ import annotations

import pytest
from support.audited_farm import AuditedFarm
from support.manual_worker import LANE, ManualWorker

from winepress import Client, WrongUsage
from winepress_worker.parent.consumption import Consumption
from winepress_worker.parent.supervisor import WorkerSupervisor
from winepress_worker.parent.unique_name import check_unique_name


def test_a_name_is_taken_while_its_worker_beats_and_free_once_it_left(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Told by the time of the last beat, which is the server's."""
    manual_worker.live(LANE)
    (worker,) = client.workers()
    with pytest.raises(WrongUsage, match="a worker of this name is alive"):
        check_unique_name(client.ledger, worker.name, lambda seconds: manual_worker.live(LANE))
    client.ledger.leave(worker.name)
    check_unique_name(client.ledger, worker.name)


def _supervisor(farm: AuditedFarm) -> WorkerSupervisor:
    consumption = Consumption(lambda: 0)
    return WorkerSupervisor(farm.ledger, "w1", {}, lambda: 1, lambda *_: None, dict, consumption)


def test_a_worker_that_is_back_under_the_same_process_id_keeps_no_lease_of_its_earlier_life(
    farm: AuditedFarm,
) -> None:
    """In a container the number is the same; the new renderer knows nothing of that slice."""
    farm.submit("job")
    slice_ = farm.claim()
    farm.ledger.start(slice_.fence, 0)
    _supervisor(farm).arrive()
    again = farm.claim()
    assert (again.fence > slice_.fence, again.attempts) == (True, 1)


def test_a_name_is_waited_for_while_its_worker_drains_and_longer_than_it_would_be_silent(
    client: Client,
) -> None:
    """A replacement may be started before its predecessor has ended its last picture."""
    beats = 0

    def drain(seconds: float) -> None:
        nonlocal beats
        beats += 1
        if beats <= 60:
            client.ledger.beat("w", "w/1", {"draining": True})
        else:
            client.ledger.leave("w")

    client.ledger.beat("w", "w/1", {})
    check_unique_name(client.ledger, "w", drain)
    assert beats == 61


def test_a_name_is_not_given_to_two_that_wait_for_it(client: Client) -> None:
    """Whoever sees the other one beat is refused, as without anybody who drains."""

    def take(seconds: float) -> None:
        client.ledger.beat("w", "w/2", {})

    client.ledger.beat("w", "w/1", {"draining": True})
    with pytest.raises(WrongUsage, match="a worker of this name is alive"):
        check_unique_name(client.ledger, "w", take)


def test_a_worker_that_leaves_late_does_not_take_its_successor_along(farm: AuditedFarm) -> None:
    """It was cut off while it drained, and its name was given away."""
    first, second = _supervisor(farm), _supervisor(farm)
    first.arrive()
    second.arrive()
    farm.ledger.leave("w1", first._life)
    assert [worker.name for worker in farm.ledger.workers()] == ["w1"]
    farm.ledger.leave("w1", second._life)
    assert farm.ledger.workers() == []


def test_a_worker_is_forgotten_by_its_name_alone_or_by_a_life_that_nobody_knows(
    farm: AuditedFarm,
) -> None:
    """An operator knows no life, and a broker may have lost it; both times it is this worker's."""
    farm.ledger.beat("w1", "w1/1", {}, "life", arrives=1)
    farm.ledger.leave("w1")
    assert farm.ledger.workers() == []
    farm.ledger.beat("w1", "w1/1", {})
    farm.ledger.leave("w1", "life")
    assert farm.ledger.workers() == []


def test_a_heartbeat_that_names_no_life_takes_no_name(farm: AuditedFarm) -> None:
    """As of a program that speaks for a worker; the worker itself is not shut out by that."""
    farm.ledger.beat("w1", "w1/1", {}, "life", arrives=1)
    assert farm.ledger.beat("w1", "w1/1", {}).leases == ()
    assert farm.ledger.beat("w1", "w1/1", {}, "life").leases == ()


def test_of_two_workers_that_start_within_a_second_one_is_left(
    farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither sees the other when it looks for its name; the later one has it."""
    exits: list[int] = []
    monkeypatch.setattr("winepress_worker.parent.supervisor.os._exit", exits.append)
    first, second = _supervisor(farm), _supervisor(farm)
    for _ in range(2):
        check_unique_name(farm.ledger, "w1")
        monkeypatch.setattr(farm.ledger, "workers", list)  # as if it had looked before
    first.arrive()
    second.arrive()
    farm.submit("job", 2)
    slice_ = farm.claim()
    second._tick(1)
    assert exits == []
    first._tick(1)
    assert exits == [WrongUsage.exit_code]
    assert farm.draw(slice_)[0] == "ok"


def test_a_worker_that_was_cut_off_ends_when_its_name_was_given_away(
    farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody started another one in its place."""
    exits: list[int] = []
    monkeypatch.setattr("winepress_worker.parent.supervisor.os._exit", exits.append)
    cut_off = _supervisor(farm)
    cut_off.arrive()
    farm.redis.zadd(farm.key("workers"), {"w1": 1})
    farm.sweep()
    cut_off._tick(1)
    assert exits == [], "nobody else came"
    _supervisor(farm).arrive()
    cut_off._tick(1)
    assert exits == [WrongUsage.exit_code]
