"""Events that are easily missed, with a thread and in an event loop."""

from __future__ import annotations

import pytest
from support.event_loop import in_loop
from support.manual_worker import LANE, ManualWorker, apple

from winepress import AsyncClient, Client
from winepress_shared.ledger.records import JobRow
from winepress_shared.settings import Settings


def work_before_looking(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let a job begin and end after its events were read and before its row is."""
    look = client.ledger.get

    def look_later(job_id: str) -> JobRow:
        manual_worker.work(LANE)
        return look(job_id)

    monkeypatch.setattr(client.ledger, "get", look_later)


def test_what_happens_between_two_looks_is_told(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last event."""
    handle = client.submit(apple())
    work_before_looking(client, manual_worker, monkeypatch)
    names = [event.name for event in handle.events()]
    assert (names[0], names[-1]) == ("queued", "succeeded")


@in_loop
async def test_what_happens_between_two_looks_is_told_in_a_loop(
    farm_settings: Settings, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last event, too."""
    async with AsyncClient(farm_settings) as client:
        handle = await client.submit(apple())
        work_before_looking(client.client, manual_worker, monkeypatch)
        names = [event.name async for event in handle.events()]
        assert (names[0], names[-1]) == ("queued", "succeeded")
