"""What has happened in a farm is counted once, whatever was repeated, lost or damaged meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.lane import FILM
from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.measures import MeasureReader, Measures
from winepress_shared.ledger.records import UnitOutcome

_MANY = 4096  #: `MOST_COUNTS` of the scripts


@pytest.fixture
def reader(farm: AuditedFarm) -> MeasureReader:
    """Reads the measures of the test's farm."""
    return MeasureReader(farm.settings)


def _counts(reader: MeasureReader) -> dict[str, float]:
    return dict(reader.take(10).counts.totals)


def _output(seconds: float, device: str = "CPU") -> dict[str, Any]:
    return {"key": "k", "device": device, "render_s": seconds}


def _draw(farm: AuditedFarm, *seconds: float, times: int = 1) -> None:
    """Draw a job whose pictures take so long, and make each call so many times."""
    left = list(seconds)
    while left:
        slice_ = farm.claim()
        for unit in slice_.units:
            output = _output(left.pop(0))
            for _ in range(times):
                farm.ledger.start(slice_.fence, unit)
                outcome = farm.ledger.commit(slice_.fence, unit, output)
    assert outcome is UnitOutcome.LAST
    for _ in range(times):
        farm.ledger.finish(slice_.fence)


def test_a_job_drawn_to_its_end_is_counted_in_every_station(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """Accepted, waited, drawn by model and device, ended; the seconds in their bucket."""
    farm.submit("j1", 2, cost=5.0)
    _draw(farm, 0.3, 700.0)
    counts, drawn = _counts(reader), f"drawn {LANE} CPU"
    found = [counts[f"{drawn} {bucket}"] for bucket in ("0.5", "inf", "sum")]
    assert found == [1, 1, pytest.approx(700.3)]
    assert counts[f"steps {LANE} CPU"] == 10
    accepted = [counts[name] for name in ("accepted 1", "accepted_pictures 1", "ended succeeded")]
    assert accepted == [1, 2, 1]
    assert [counts[name] for name in ("attempts", "waited 1 1", "ran 1 1")] == [2, 1, 1]


def test_a_job_waits_from_its_submission_or_its_earliest_start(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """What was ordered in the evening for the night was not kept waiting by the farm."""
    farm.submit("ordered", starts_in_ms=1)
    farm.submit("waiting", user="bob")
    now, _ = farm.redis.time()
    farm.redis.hset(farm.key("job", "ordered"), "created", (now - 5000) * 1000)
    farm.redis.hset(farm.key("job", "waiting"), "created", (now - 200) * 1000)
    farm.make_due("ordered")
    assert {farm.claim().job_id, farm.claim().job_id} == {"ordered", "waiting"}
    counts = _counts(reader)
    assert 200 <= counts["waited 1 sum"] < 400
    assert counts["waited 1 300"] == 1


def test_only_pictures_of_known_cost_are_counted_in_steps(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """A film is cut, not drawn, and who submitted by hand may have told no cost."""
    farm.submit("zoom", 3, chained=True, last_lane=FILM, cost=5.0)
    for lane in (LANE, FILM):
        slice_ = farm.claim(lane=lane)
        for unit in slice_.units:
            farm.ledger.commit(slice_.fence, unit, _output(0.3))
    farm.ledger.finish(slice_.fence)
    farm.submit("costless")
    farm.redis.hdel(farm.key("job", "costless"), "cost")
    _draw(farm, 0.3)
    counts = _counts(reader)
    assert counts["drawn film CPU 0.5"] == 1
    steps = {name: amount for name, amount in counts.items() if name.startswith("steps ")}
    assert steps == {f"steps {LANE} CPU": 10}


def test_a_repeated_call_counts_nothing_again(farm: AuditedFarm, reader: MeasureReader) -> None:
    """Any script may run twice, when the answer to the first was lost."""
    farm.submit("j1", 2)
    farm.submit("j1", 2)
    _draw(farm, 0.3, 0.3, times=2)
    counts = _counts(reader)
    assert counts[f"drawn {LANE} CPU 0.5"] == 2
    assert [counts[name] for name in ("accepted 1", "attempts", "ended succeeded")] == [1, 2, 1]


def test_a_held_job_is_counted_when_it_is_accepted(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """Not before, and not again."""
    farm.hold("j1", 3)
    assert "accepted 1" not in _counts(reader)
    assert reader.take(10).pending == 1
    farm.accept("j1")
    farm.accept("j1")
    assert _counts(reader)["accepted_pictures 1"] == 3
    farm.ledger.keep_units("j2", {0: _output(0.3)})
    farm.hold("j2", 4)
    farm.accept("j2")
    assert _counts(reader)["accepted_pictures 1"] == 3 + 3, "one of them is drawn already"


def test_failures_are_counted_by_their_class(farm: AuditedFarm, reader: MeasureReader) -> None:
    """A retry is no failure; a unit that is given up is one, and so is each that builds on it."""
    farm.submit("j1")
    slice_ = farm.claim()
    assert farm.fail(slice_, 0) is UnitOutcome.RETRY
    farm.make_due("j1")
    farm.fail(farm.claim(worker="w2"), 0, retry=False)
    farm.submit("j2", 3, chained=True, lane="vignette.int8")
    farm.fail(farm.claim(lane="vignette.int8"), 0, retry=False)
    counts = _counts(reader)
    assert (counts["retried RetryElsewhere"], counts["failed RetryElsewhere"]) == (1, 4)


def test_a_lost_worker_is_counted(farm: AuditedFarm, reader: MeasureReader) -> None:
    """Not one that hands its slices back."""
    farm.submit("j1", 4)
    farm.lose(farm.claim(1))
    given = farm.claim(1)
    farm.ledger.release(given.fence, holder_of("w1", 1))
    counts = _counts(reader)
    assert (counts["slices"], counts["slices_lost"]) == (2, 1)


def _describe(farm: AuditedFarm, process: str, **counts: float) -> None:
    facts = {"process": process, "counts": {f"{name} m.fp16": n for name, n in counts.items()}}
    farm.ledger.describe_renderer("w1", facts)


def test_what_a_process_tells_again_is_counted_once(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """It tells totals: descriptions are lost or come twice, and a new process begins anew."""
    farm.ledger.beat("w1", holder_of("w1", 1), {"device": "GPU.1", "lanes": [LANE]})
    _describe(farm, "a", loads=1, load_seconds=2.5)
    _describe(farm, "a", loads=1, load_seconds=2.5)
    _describe(farm, "a", loads=4, load_seconds=8.0)
    farm.ledger.leave("w1")  # a worker that was away for long is forgotten, and comes back
    farm.ledger.beat("w1", holder_of("w1", 1), {"device": "GPU.1", "lanes": [LANE]})
    _describe(farm, "a", loads=4, load_seconds=8.0)
    _describe(farm, "b", loads=1, load_seconds=1.0)
    counts = _counts(reader)
    assert (counts["loads m.fp16 GPU.1"], counts["load_seconds m.fp16 GPU.1"]) == (5, 9.0)


def test_counting_never_stops_what_is_counted(farm: AuditedFarm, reader: MeasureReader) -> None:
    """Whatever somebody with a key to the broker has written in its place."""
    farm.redis.set(farm.key("job_counts"), "no hash")
    farm.redis.hset(farm.key("work_counts"), "attempts", "no number")
    farm.submit("j1")
    farm.work_off()
    assert farm.state("j1") == "succeeded"
    farm.redis.delete(farm.key("job_counts"))
    assert "attempts" not in _counts(reader)
    assert _counts(reader)[f"drawn {LANE} other 0.1"] == 1  # its output named no device


def test_there_are_only_so_many_counts(farm: AuditedFarm, reader: MeasureReader) -> None:
    """What more names would be counted under is counted together, and known names go on."""
    many: dict[Any, Any] = {f"c{number}": 1 for number in range(_MANY)}
    farm.redis.hset(farm.key("work_counts"), mapping=many | {"attempts": 5})
    farm.submit("j1")
    farm.claim()
    counts = _counts(reader)
    assert counts["overflow"] >= 1
    assert counts["attempts"] == 5
    assert "slices" not in counts
    farm.work_off()


def test_lanes_are_measured_and_the_shortest_ones_summed_up(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """Depth, age, who was served last, tickets; as many lanes as are asked for."""
    for number, units in enumerate((5, 3, 2, 1)):
        farm.submit(f"j{number}", units, lane=f"m{number}.fp16", cost=float(units))
    now, _ = farm.redis.time()
    farm.redis.hset(farm.key("job", "j0"), "created", (now - 90) * 1000)
    farm.redis.hset(farm.key("priority_served", "m0.fp16"), "1", (now - 60) * 1000)
    farm.redis.lpush(farm.key("queue", "m0.fp16"), "ticket")
    measures = reader.take(2)
    assert {lane.lane: lane.waiting for lane in measures.lanes} == {"m0.fp16": 5, "m1.fp16": 3}
    assert measures.other_lanes == 3
    first = measures.lanes[0]
    assert 90 <= first.oldest_s < 150
    assert 60 <= first.served_s[1] < 120
    assert (first.tickets, first.cost) == (1, 5.0)


def test_hostile_values_in_the_broker_are_read_as_none(
    farm: AuditedFarm, reader: MeasureReader
) -> None:
    """A metric is a number; text, infinity and what is not finite are not told."""
    farm.redis.hset(farm.key("lanes"), mapping={"a.fp16": "inf", "b.fp16": "text", "c.fp16": "-4"})
    farm.redis.hset(farm.key("job_counts"), mapping={"accepted 1": "nan", "ended x": "-1"})
    farm.redis.set(farm.key("open"), "1e400")
    measures = reader.take(10)
    assert [lane.waiting for lane in measures.lanes] == [0, 0, 0]
    assert measures.counts.totals == {}
    assert measures.open == 0
    for name in ("lanes", "open"):  # the audit would find them
        farm.redis.delete(farm.key(name))


def test_an_empty_farm_has_measures(reader: MeasureReader) -> None:
    """Nothing was counted yet, and nothing waits."""
    measures = reader.take(10)
    assert isinstance(measures, Measures)
    assert (measures.counts.totals, measures.lanes, measures.open) == ({}, (), 0)
    assert set(measures.jobs.values()) == {0}
    assert json.dumps(dict(measures.jobs))


def test_the_broker_tells_of_itself(farm: AuditedFarm, reader: MeasureReader) -> None:
    """And a role that may not ask gets nothing, not an error."""
    assert reader.broker_info()["maxmemory_policy"] == "noeviction"
    user = farm.settings.farm
    farm.redis.acl_setuser(user, enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
    address = farm.settings.broker_url.get_secret_value().replace("//", f"//{user}:x@", 1)
    limited = farm.settings.model_copy(update={"broker_url": SecretStr(address)})
    try:
        mine = MeasureReader(limited)
        assert mine.take(10).open == 0
        assert mine.broker_info() == {}
        mine.close()
    finally:
        farm.redis.acl_deluser(user)
