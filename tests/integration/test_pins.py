"""A pinned job stays listed, and its objects stay, whatever happens."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from support.command_line import Run
from support.manual_worker import LANE, ManualWorker, apple, forget_farm
from support.old_jobs import DAYS, clean, drawn, drop_record, empty, left

from winepress import Client, Conflict
from winepress.cleaning import DAY_S, Cleaning
from winepress_shared import pins


@pytest.fixture(autouse=True)
def _emptied(client: Client) -> None:
    empty(client)


def test_a_pinned_job_is_kept_even_if_the_broker_loses_everything(
    client: Client, manual_worker: ManualWorker
) -> None:
    """A pin is in the store; the record of a pinned job is not dropped either."""
    handle = client.submit(apple())
    client.pin(handle.id)
    manual_worker.work(LANE)
    assert handle.status().pinned
    assert client.ledger.get(handle.id).pinned
    other = drawn(client, manual_worker)
    client.pin(other.id)
    forget_farm(client.settings)
    assert clean(client) == []
    client.unpin(handle.id)
    assert clean(client) == [handle.id]
    assert left(client, handle.id) == []
    assert len(other.images) == 2


def test_a_recovered_job_is_still_pinned(client: Client) -> None:
    """Its record would be dropped in time otherwise."""
    handle = client.submit(apple())
    client.pin(handle.id)
    forget_farm(client.settings)
    client.recover()
    assert handle.status().pinned


def test_a_pin_that_comes_while_a_job_is_being_deleted_is_refused(
    client: Client, manual_worker: ManualWorker
) -> None:
    """And one that comes before the cleaning has looked is kept."""
    handle = drawn(client, manual_worker)
    store = client.archive.store
    store.put(f"jobs/{handle.id}/{pins.LEAVING}", b"")
    with pytest.raises(Conflict, match="being deleted"):
        client.pin(handle.id)
    assert not pins.is_pinned(store, handle.id)
    store.delete(f"jobs/{handle.id}/{pins.LEAVING}")

    cleaning = Cleaning(client, DAYS, now=time.time() + (DAYS + 1) * DAY_S)
    put_new, seen = store.put_new, []

    def pinned_first(key: str, data: bytes, **options: Any) -> bool:
        pins.pin(store, handle.id)
        seen.append(key)
        return put_new(key, data, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "put_new", pinned_first)
        assert list(cleaning.run()) == []
    assert seen
    assert sorted(left(client, handle.id)) == sorted(
        ["job.json", "out/000000.png", "out/000001.png", "pinned", "result.json"]
    )


def test_pins_are_told_on_the_command_line(
    client: Client, manual_worker: ManualWorker, run: Run
) -> None:
    """In the list, and of a job whose record has expired too."""
    handle = client.submit(apple())
    assert run("pin", handle.id).stdout == f"{handle.id} pinned\n"
    assert "pinned" in run("list").stdout
    assert json.loads(run("status", handle.id, "--json").stdout)["pinned"] is True
    assert run("unpin", handle.id).stdout == f"{handle.id} no longer pinned\n"
    assert "pinned" not in run("list").stdout
    assert run("pin", "j0").returncode == 4
    manual_worker.work(LANE)
    drop_record(client, handle)
    assert run("pin", handle.id).returncode == 0
    assert clean(client) == []
