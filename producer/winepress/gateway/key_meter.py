"""Jobs counted against the limits of the key with which they are submitted."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from winepress.client import Client
from winepress.gateway.access import Caller
from winepress.gateway.refusals import TooManyRequests
from winepress_shared.cost import megapixel_steps
from winepress_shared.errors import BrokerUnreachable, InvalidJob
from winepress_shared.jobs.job_record import JobRecord

_UNITS_RETRY_S = 30.0  #: a few pictures end meanwhile

log = logging.getLogger(__name__)


class KeyMeter:
    """A `Meter` of one key; blocks its thread."""

    def __init__(self, client: Client, caller: Caller) -> None:
        self._client = client
        self._caller = caller
        self._day: int | None = None  #: of the reservation

    @classmethod
    def of(cls, client: Client, caller: Caller) -> KeyMeter | None:
        """The meter of a caller; None if its key has no such limits."""
        limits = caller.limits
        is_limited = limits.queue is not None or limits.megapixel_steps is not None
        return cls(client, caller) if is_limited else None

    def reserve(self, records: Sequence[JobRecord]) -> None:
        """Reserve units and megapixel-steps; raises TooManyRequests, and InvalidJob for too many.

        A request that exceeds a limit by itself is invalid, because it could never succeed.
        """
        self.reserve_units(
            {record.id: record.job.unit_count for record in records}, sum(map(steps_of, records))
        )

    def reserve_units(self, units: dict[str, int], steps: float = 0.0) -> None:
        """The same, for units by job."""
        limits, count = self._caller.limits, sum(units.values())
        self._check_alone("units", count, limits.queue)
        self._check_alone("megapixel-steps", steps, limits.megapixel_steps)
        found = self._client.key_quotas.reserve(
            self._caller.key_id,
            units,
            steps,
            most_units=limits.queue,
            most_steps=limits.megapixel_steps,
        )
        self._day = found.day
        if found.open_units is not None:
            raise too_many(
                f"{found.open_units} units of this key have not ended",
                f"{limits.queue}, and {count} more are asked for",
                _UNITS_RETRY_S,
            )
        if found.steps is not None:
            raise too_many(
                f"this key has used {found.steps:.4g} megapixel-steps today (UTC)",
                f"{limits.megapixel_steps:g}, and {steps:.4g} more are asked for",
                found.until_tomorrow_s,
            )

    def give_back(self, records: Sequence[JobRecord]) -> None:
        """Give back what was reserved for these jobs."""
        if self._day is None:
            return
        steps, ids = sum(map(steps_of, records)), [record.id for record in records]
        try:
            self._client.key_quotas.give_back(self._caller.key_id, self._day, steps, ids)
        except BrokerUnreachable as error:  # the units are free again after a while
            log.warning("key %s is charged for refused jobs: %s", self._caller.key_id, error)

    def _check_alone(self, name: str, asked: float, most: float | None) -> None:
        if most is not None and asked > most:
            raise InvalidJob(
                f"more {name} than this key may have at all",
                value=round(asked, 2),
                allowed=f"up to {most:g} {name}",
                hint="Ask for fewer or smaller pictures at once",
            )


def steps_of(record: JobRecord) -> float:
    """Megapixel-steps of a resolved job; films cost none."""
    job = record.job
    if record.cost is not None:
        return record.cost * job.unit_count
    drawn = (
        job.unit_count
        if job.is_picture
        else sum(job.model_of(unit) is not None for unit in range(job.unit_count))
    )
    return megapixel_steps(job) * drawn


def too_many(problem: str, allowed: str, retry_s: float) -> TooManyRequests:
    """The error for a limit of a key that leaves room again after some seconds."""
    error = TooManyRequests(problem, allowed=allowed)
    error.retry_after_s = retry_s
    return error
