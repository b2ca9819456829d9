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
from winepress_shared.ledger.key_quotas import Reservation, Wish
from winepress_shared.ledger.records import JobRow

_UNITS_RETRY_S = 30.0  #: a few pictures end meanwhile

log = logging.getLogger(__name__)


class KeyMeter:
    """A `Meter` of one key; blocks its thread."""

    def __init__(self, client: Client, caller: Caller) -> None:
        self._client = client
        self._caller = caller
        self._reserved = Reservation()

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
        self.reserve_wishes(list(map(wish_of, records)))

    def reserve_wishes(self, wishes: Sequence[Wish]) -> None:
        """The same, for jobs told in few words."""
        limits = self._caller.limits
        count, steps = sum(one.units for one in wishes), sum(one.steps for one in wishes)
        self._check_alone("units", count, limits.queue)
        self._check_alone("megapixel-steps", steps, limits.megapixel_steps)
        self._reserved = found = self._client.key_quotas.reserve(
            self._caller.key_id, wishes, limits.queue, limits.megapixel_steps
        )
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
        left = [wish_of(record) for record in records if record.id in self._reserved.job_ids]
        if not left:
            return
        steps, ids = sum(one.steps for one in left), [one.job_id for one in left]
        try:
            self._client.key_quotas.give_back(self._caller.key_id, self._reserved.day, steps, ids)
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


def meter_retry(client: Client, caller: Caller, row: JobRow) -> None:
    """Reserve the units that a retry would render; raises what `KeyMeter.reserve` raises.

    Its megapixel-steps were counted when the job was submitted.
    """
    meter = KeyMeter.of(client, caller)
    if meter is not None:
        meter.reserve_wishes([Wish(row.id, row.units - row.done)])


def wish_of(record: JobRecord) -> Wish:
    """What a job asks for; films cost no megapixel-steps."""
    job, units = record.job, record.job.unit_count
    cost = megapixel_steps(job) if record.cost is None else record.cost
    drawn = units
    if not job.is_picture:
        drawn = sum(job.model_of(unit) is not None for unit in range(units))
    steps = cost * drawn
    return Wish(record.id, units, steps, record.user, record.idempotency_key)


def too_many(problem: str, allowed: str, retry_s: float) -> TooManyRequests:
    """The error for a limit of a key that leaves room again after some seconds."""
    error = TooManyRequests(problem, allowed=allowed)
    error.retry_after_s = retry_s
    return error
