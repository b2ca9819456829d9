"""What is entered again after the ledger was lost: as much as the store lacks, and no more."""

from __future__ import annotations

import hashlib
from unittest.mock import Mock

import pytest
from support.failing_ledger import FailingLedger

from winepress import Client, TextToImage
from winepress.stored_jobs import StoredJobs
from winepress_shared.archive import output_key


def lose_ledger(client: Client) -> FailingLedger:
    """A broker without memory, with fifty workers."""
    ledger = FailingLedger()
    for number in range(50):
        ledger.beat(f"w{number}", f"w{number}/1", {})
    client.__dict__["ledger"] = client.__dict__["pending"] = client.__dict__["farm"] = ledger
    client.__dict__["counted"] = Mock(**{"lately.return_value": {}, "states.return_value": {}})
    client.__dict__["broker_disk"] = Mock()
    client.__dict__["written"] = Mock(**{"all.return_value": []})
    return ledger


def store_picture(client: Client, job_id: str, unit: int) -> None:
    key = output_key(job_id, unit, "png")
    digest = hashlib.sha256(b"png").hexdigest()
    row = {"key": key, "sha256": digest, "size": 3, "seed": 1, "width": 64, "height": 64}
    row |= {"device": "CPU", "worker": "w0", "render_s": 0.5}
    client.archive.write_output(key, b"png", row)


def test_pictures_in_the_store_are_not_drawn_again_and_call_no_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object under a number that the job has not is none of its pictures."""
    handle = client.submit(TextToImage(prompt="a fox", n=5))
    for unit in (0, 3, 9):
        store_picture(client, handle.id, unit)
    ledger, sent = lose_ledger(client), []
    monkeypatch.setattr(
        "winepress_shared.broker.send_tickets", lambda app, lane, count: sent.append(count)
    )
    assert [found.id for found in client.recover()] == [handle.id]
    assert (ledger.get(handle.id).done, set(ledger.outputs(handle.id))) == (2, {0, 3})
    assert sent == [3]


def test_a_job_at_the_end_of_a_look_that_was_cut_off_is_left_out(client: Client) -> None:
    """There may be more of it: its result, for example."""
    jobs = sorted(client.submit(TextToImage(prompt="a fox")).id for _ in range(2))
    client.cancel(jobs[1])
    whole = StoredJobs.list(client)
    assert whole == StoredJobs(frozenset(jobs[:1]))
    seen = len(list(client.archive.store.list("jobs/"))) - 1
    part = StoredJobs.list(client, most=seen)
    assert part == StoredJobs(frozenset(jobs[:1]), is_all=False)
