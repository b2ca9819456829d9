"""What a million waiting pictures cost the broker and every claim."""

from __future__ import annotations

import statistics
import time

import pytest
from faults.harness.farm import Servers
from support.audited_farm import AuditedFarm

_RANGES, _UNITS = 1_000, 1_000  #: jobs, and pictures of each
_SINGLES = 10_000  #: jobs of one picture
_CLAIMS = 200
_JOB_BYTES = 4_096  #: most memory for one job, however many pictures it has
_SLOWER = 10.0  #: most that a claim may be slower than with an empty queue


def _claim_s(farm: AuditedFarm) -> float:
    """The median time of a claim; what it got is left in hand."""
    took = []
    for _ in range(_CLAIMS):
        began = time.perf_counter()
        farm.claim(1)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


@pytest.mark.case(47)
@pytest.mark.lengthy
def test_a_million_pictures_cost_the_broker_little_memory_and_a_claim_little_time(
    servers: Servers,
) -> None:
    """A job is one row, however many pictures it has, and a claim looks at the first of them."""
    farm = AuditedFarm(servers.broker.url)
    for number in range(_CLAIMS):
        farm.submit(f"few{number}")
    few_s = _claim_s(farm)
    before = farm.redis.info("memory")["used_memory"]
    for number in range(_RANGES):
        farm.submit(f"range{number}", _UNITS, user=f"user{number % 50}")
    for number in range(_SINGLES):
        farm.submit(f"single{number}", user=f"user{number % 50}")
    grown = farm.redis.info("memory")["used_memory"] - before
    assert sum(farm.ledger.waiting().values()) == _RANGES * _UNITS + _SINGLES
    assert grown / (_RANGES + _SINGLES) < _JOB_BYTES
    assert _claim_s(farm) < _SLOWER * few_s
    farm.close()
