"""What a submission costs: reserved before anything is written, and given back if it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.failing_ledger import FailingLedger

from winepress import Client, QueueFull, StoreUnreachable, TextToImage
from winepress.submission import record_of, submit
from winepress.submit_options import SubmitOptions
from winepress_shared.jobs.job_record import JobRecord

APPLE = TextToImage(prompt="a red apple", seed=7)


class Purse:
    """A meter that remembers."""

    def __init__(self) -> None:
        self.reserved: list[str] = []
        self.given_back: list[str] = []
        self.is_empty = False

    def reserve(self, records: Sequence[JobRecord]) -> None:
        if self.is_empty:
            raise QueueFull("no more")
        self.reserved += [record.id for record in records]

    def give_back(self, records: Sequence[JobRecord]) -> None:
        self.given_back += [record.id for record in records]


@pytest.fixture
def purse() -> Purse:
    return Purse()


def records(client: Client, submit_options: SubmitOptions, count: int) -> list[JobRecord]:
    return [record_of(client, APPLE, submit_options) for _ in range(count)]


def test_accepted_jobs_are_kept(client: Client, purse: Purse) -> None:
    """Nothing comes back."""
    options = SubmitOptions("ann", meter=purse)
    ids = submit(client, records(client, options, 3), options)
    assert (purse.reserved, purse.given_back) == (ids, [])


def test_a_job_that_was_there_already_is_given_back(client: Client, purse: Purse) -> None:
    """Whoever repeats a submission pays once."""
    options = SubmitOptions("ann", "order-7", meter=purse)
    (first,) = submit(client, records(client, options, 1), options)
    assert submit(client, records(client, options, 1), options) == [first]
    assert purse.reserved[0] == first
    assert purse.given_back == purse.reserved[1:]


@pytest.mark.parametrize(
    "fault", [QueueFull("full"), StoreUnreachable("away"), KeyboardInterrupt()]
)
def test_all_is_given_back_when_one_job_is_refused(
    client: Client, ledger: FailingLedger, purse: Purse, fault: BaseException
) -> None:
    """Also when it is interrupted."""
    options = SubmitOptions("ann", meter=purse)
    ledger.room, ledger.full = 1, fault
    with pytest.raises(type(fault)):
        submit(client, records(client, options, 2), options)
    assert len(purse.given_back) == 2
    assert purse.given_back == purse.reserved


def test_an_empty_purse_writes_nothing(client: Client, purse: Purse) -> None:
    """The refusal comes before the store hears of the job."""
    purse.is_empty = True
    options = replace(SubmitOptions("ann"), meter=purse)
    with pytest.raises(QueueFull, match="no more"):
        submit(client, records(client, options, 1), options)
    assert not client.archive.has_jobs
    assert purse.given_back == []
