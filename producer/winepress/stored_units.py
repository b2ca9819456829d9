"""What the store has of the pictures of a job, whole."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from winepress_shared.archive import Archive, JobRecord

_READERS = 8  #: threads that read from the store


class StoredUnits:
    """Reads the pictures of jobs.

    Those that were written in the last minutes of a job's work are read to their last byte: a power
    cut may have left the store a description without them.
    """

    def __init__(self, archive: Archive, minutes: float) -> None:
        self._archive = archive
        self._minutes = minutes

    def of(self, record: JobRecord) -> dict[int, dict[str, Any]]:
        """Unit → row, for every picture of the job that is in the store."""
        written = {
            unit: place
            for unit, place in self._places(record.id).items()
            if unit < record.job.unit_count
        }
        newest = max((at for _, at in written.values()), default=0.0)

        def read(place: tuple[str, float]) -> dict[str, Any] | None:
            key, at = place
            if at < newest - 60 * self._minutes:
                return self._archive.read_output(key)
            return self._archive.whole_output(key)

        with ThreadPoolExecutor(_READERS, thread_name_prefix="recover") as pool:
            rows = pool.map(read, written.values())
        return {unit: row for unit, row in zip(written, rows, strict=True) if row is not None}

    def lost(self, job_id: str, units: Mapping[int, str]) -> list[int]:
        """Those of ``units``, given with the SHA-256 they had, that are not there with it."""
        if not units:
            return []
        places = self._places(job_id)

        def is_whole(unit: int) -> bool:
            key, _ = places.get(unit, ("", 0.0))
            return bool(key) and self._archive.whole_output(key, units[unit]) is not None

        with ThreadPoolExecutor(_READERS, thread_name_prefix="recover") as pool:
            found = pool.map(is_whole, units)
        return sorted(unit for unit, whole in zip(units, found, strict=True) if not whole)

    def _places(self, job_id: str) -> dict[int, tuple[str, float]]:
        """Unit → key of its object, and when it was written."""
        return {
            int(number): (stored.key, stored.written)
            for stored in self._archive.store.list(f"jobs/{job_id}/out/")
            if (number := stored.key.rpartition("/")[2].partition(".")[0]).isdecimal()
        }
