"""What a claim tells beside the units that it gives out."""

from __future__ import annotations

from support.audited_farm import LANE, AuditedFarm

from winepress_shared.ledger.watchers import Watchers


def test_a_claim_tells_what_is_left_in_its_lane(farm: AuditedFarm) -> None:
    """And how many tickets call for it: from both follows whether more workers are to be called."""
    farm.submit("job", 4)
    farm.submit("elsewhere", 9, lane="vignette.int8")
    farm.redis.lpush(farm.key("queue", LANE), "x", "x")
    told = [(slice_.waiting, slice_.tickets) for slice_ in (farm.claim(most=2), farm.claim(most=2))]
    assert told == [(2, 2), (1, 2)]
    last = farm.claim()
    assert (last.waiting, last.job_units) == (0, 4)


def test_a_claim_tells_whether_somebody_watches_the_steps(farm: AuditedFarm) -> None:
    """Else its worker reports none."""
    farm.submit("watched")
    farm.submit("alone")
    Watchers(farm.ledger._server).watch(["watched"])
    found = {slice_.job_id: slice_.watched for slice_ in (farm.claim(), farm.claim())}
    assert found == {"watched": True, "alone": False}


def test_only_the_first_slice_of_a_traced_job_tells_how_long_it_waited(farm: AuditedFarm) -> None:
    """From its submission, or from the time before which nobody might begin it."""
    trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    farm.submit("traced", 4, traceparent=trace)
    farm.submit("later", starts_in_ms=1, traceparent=trace, user="bob")
    farm.submit("plain", user="cid")
    now, _ = farm.redis.time()
    farm.redis.hset(farm.key("job", "traced"), "created", (now - 90) * 1000)
    farm.redis.hset(farm.key("job", "later"), "created", (now - 90) * 1000)
    farm.redis.hset(farm.key("job", "later"), "starts", (now - 30) * 1000)
    farm.make_due("later")
    slices = [farm.claim(most=1) for _ in range(4)]
    waits = {one.job_id: one.waited_ms for one in reversed(slices)}
    assert (waits["traced"] or 0) >= 90_000
    assert 30_000 <= (waits["later"] or 0) < 80_000
    assert waits["plain"] is None
    (again,) = [one for one in slices[1:] if one.job_id == "traced"]
    assert (again.waited_ms, again.traceparent) == (None, trace)
