"""The context of a trace, as strangers may send it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.jobs.job import TextToImage
from winepress_shared.jobs.job_record import JobRecord
from winepress_shared.lane import Lane
from winepress_shared.ledger.submissions import Submission
from winepress_shared.trace_context import TraceContext, asked_from, asking

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{SPAN}-01"


def test_a_context_is_read_and_written() -> None:
    """As W3C's own example has it."""
    assert TraceContext.parse(GIVEN) == TraceContext(TRACE, SPAN, 1)
    assert str(TraceContext.parse(GIVEN)) == GIVEN


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """Its further parts, and flags that nobody knows yet, are not handed on."""
    assert str(TraceContext.parse(f"cc-{TRACE}-{SPAN}-ff-what-will-be")) == f"00-{TRACE}-{SPAN}-03"


@pytest.mark.parametrize(
    "text",
    [
        "",
        GIVEN.upper(),
        f" {GIVEN}",
        f"{GIVEN}\n",
        f"{GIVEN}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE}\u0661-{SPAN}-01",
    ],
)
def test_anything_else_is_no_context(text: str) -> None:
    """It is passed over, and nothing of it goes on."""
    assert TraceContext.parse(text) is None
    with asked_from(text):
        assert asking() is None


@given(st.text())
def test_what_is_read_is_bounded_whatever_was_sent(text: str) -> None:
    """Only digits and dashes of one length reach the broker."""
    found = TraceContext.parse(text)
    assert found is None or len(str(found)) == len(GIVEN)


def test_the_context_goes_with_the_row_and_not_with_the_record_in_the_store() -> None:
    """A worker of an earlier version would leave a job alone whose record has an unknown field."""
    record = JobRecord("j", TextToImage(prompt="x"), Lane.parse("vignette.fp16"), "ada")
    traced = JobRecord("j", record.job, record.lane, "ada", traceparent=GIVEN)
    assert traced.encode() == record.encode()
    assert "traceparent" not in Submission.of(record).row
    row = Submission.of(traced).row
    assert row[row.index("traceparent") + 1] == GIVEN
