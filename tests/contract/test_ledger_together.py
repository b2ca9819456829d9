"""Slices of several jobs: the ledger in memory gives them out as the one on a server does."""

from __future__ import annotations

from winepress_shared.errors import RetryElsewhere
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import Directive
from winepress_shared.ledger.submissions import Submission

LANE = "vignette.fp16"
HOLDER = "w1/1"


def submit(ledger: Ledger, job_id: str, units: int = 1, alike: str = "a") -> None:
    ledger.submit(Submission(job_id, "text-to-image", LANE, "ada", 1, units, "d", alike=alike))


def test_like_jobs_are_handed_out_together_in_their_order(ledger: Ledger) -> None:
    """Up to so many units; the first that is not alike, or was begun before, ends it."""
    for number in range(6):
        submit(ledger, f"j{number}", 2, alike="b" if number == 3 else "a")
    (first,) = ledger.claim_together(LANE, "w1", HOLDER, 1, 1)
    ledger.start(first.fence, 0)
    ledger.fail(first.fence, 0, RetryElsewhere("x"), retry=True)
    handed = []
    while slices := ledger.claim_together(LANE, "w1", HOLDER, 2, 3, begin=True):
        assert [one.begun for one in slices[1:]] == [False] * len(slices[1:])
        handed.append([(one.job_id, len(one.units)) for one in slices if not one.alone])
        assert sum(len(one.units) for one in slices) <= 3
        assert len({one.job_id == "j3" for one in slices}) == 1
        assert len(slices) == 1 or not any(one.alone for one in slices)
    assert sum(count for of_one in handed for _, count in of_one) >= 11
    assert any(len(of_one) > 1 for of_one in handed)


def test_units_of_several_slices_are_started_and_reported_at_once(ledger: Ledger) -> None:
    """With an answer for each: one that has ended does not hide the others."""
    for number in range(3):
        submit(ledger, f"j{number}")
    slices = ledger.claim_together(LANE, "w1", HOLDER, 1000, 3)
    units = [(one.fence, 0) for one in slices]
    ledger.control("j1", "cancel")
    told = [Directive.OK, Directive.CANCEL, Directive.OK]
    assert ledger.start_together(units) == told
    assert [one.directive for one in ledger.progress_together(units, 1, 2)] == told


def test_what_was_given_back_is_handed_out_with_others_again(ledger: Ledger) -> None:
    """It was begun, and is not to blame for anything."""
    for number in range(2):
        submit(ledger, f"j{number}")
    for _ in range(2):
        slices = ledger.claim_together(LANE, "w1", HOLDER, 1000, 2, begin=True)
        assert [(one.job_id, one.alone) for one in slices] == [("j0", False), ("j1", False)]
        ledger.start_together([(one.fence, 0) for one in slices])
        for one in slices:
            ledger.release(one.fence, HOLDER)
