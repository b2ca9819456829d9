"""What must hold between the books of a farm, whoever called the ledger in whatever order."""

from __future__ import annotations

from collections import Counter
from typing import Any

from winepress_shared.ledger.records import expand

_ALIVE = ("queued", "running")


def audit_books(farm: dict[str, Any]) -> None:
    """Check everything there is about a farm's jobs; see `AuditedFarm.audit`."""
    for job, books in farm["jobs"].items():
        _audit_units(job, books)
        _audit_index(job, books)
    live = {fence: job for job, books in farm["jobs"].items() for fence in books["leases"]}
    assert set(farm["leases"]) == set(live)
    for fence, job in live.items():
        lease = farm["jobs"][job]["leases"][fence]
        assert (lease["job"], lease["is_held"]) == (job, 1)
    for priority, lanes in farm["waiting"].items():
        served = farm["served"].items()
        assert set(lanes) == {lane for lane, has in served if priority in has}
    _audit_counters(farm)


def _audit_counters(farm: dict[str, Any]) -> None:
    """What is kept as a sum equals the sum."""
    waiting: Counter[str] = Counter()
    opened: Counter[str] = Counter()
    slices: Counter[str] = Counter()
    for books in farm["jobs"].values():
        row = books["row"]
        if not books["is_aside"]:
            waiting[row["lane"]] += int(row["ready"])
        if row["state"] in _ALIVE:
            opened[row["user"]] += int(row["units"]) - int(row["done"]) - int(row["failed"])
        for lease in books["leases"].values():
            slices[row["user"]] += "user" in lease
    for name, sums in (("lanes", waiting), ("opened", opened), ("slices", slices)):
        assert {key: int(value) for key, value in farm[name].items()} == +sums, name
    assert int(farm["open"] or 0) == opened.total()


def places_of(books: dict[str, Any]) -> dict[str, set[int]]:
    """Where every unit of a job is."""
    row = books["row"]
    return {
        "fresh": set(range(int(row["cursor"]), int(row["units"]))),
        "retry": set(map(int, books["retry"])),
        "leased": {unit for one in books["leases"].values() for unit in expand(one["open"])},
        "done": set(books["done"]),
        "failed": {int(unit) for unit, text in books["units"].items() if "error" in text},
    }


def _audit_units(job: str, books: dict[str, Any]) -> None:
    row, places = books["row"], places_of(books)
    if row["state"] == "succeeded":
        assert row["done"] == row["units"], (job, row)
        assert not any(books[kind] for kind in ("retry", "attempts", "done", "units", "leases"))
        return
    assert len(places["done"]) == int(row["done"]), (job, row, places)
    assert len(places["failed"]) == int(row["failed"]), (job, row, places)
    if row["state"] in _ALIVE:
        found = sorted(unit for units in places.values() for unit in units)
        assert found == list(range(int(row["units"]))), (job, row, places)
        if row["chained"] == "1":
            behind = places["leased"] | places["fresh"]
            assert all(unit < later for unit in places["retry"] for later in behind), (job, places)
        assert not set(map(int, books["attempts"])) & (places["done"] | places["failed"]), job
    else:
        assert not places["retry"], (job, places)
        assert not places["done"] & places["failed"], (job, places)


def _audit_index(job: str, books: dict[str, Any]) -> None:
    row, places = books["row"], places_of(books)
    assert books["states"] == [row["state"]], (job, row, books["states"])
    assert books["is_ready"] == (int(row["ready"]) > 0), (job, row)
    assert books["is_pending"] == ("pending" in row), (job, row)
    if books["is_pending"]:
        assert (row["state"], row["ready"], books["is_due"]) == ("queued", "0", False), (job, row)
    if row["state"] not in _ALIVE:
        assert (row["ready"], books["is_due"]) == ("0", False), (job, row)
    elif int(row["ready"]):
        is_finishing = int(row["done"]) + int(row["failed"]) == int(row["units"])
        waiting = 1 if is_finishing else len(places["fresh"]) + len(places["retry"])
        assert int(row["ready"]) == waiting, (job, row, places)
