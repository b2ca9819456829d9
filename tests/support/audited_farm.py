"""A farm's ledger in a test's own hands: short words for its calls, time travel, and an audit."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from typing import Any, cast

import redis
from pydantic import SecretStr

from support.farm_audit import audit_books, places_of
from winepress_shared.errors import RetryElsewhere
from winepress_shared.ledger.acceptance import Hold
from winepress_shared.ledger.ledger import Ledger, holder_of
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.ledger.pending import PendingJobs
from winepress_shared.ledger.records import Slice, UnitOutcome
from winepress_shared.ledger.submissions import Submission
from winepress_shared.settings import Settings

LANE = "vignette.fp16"

#: ARGV: ids of jobs. One round trip, because the audit runs after every step of a long test.
_READ_ALL = """
local P, farm = KEYS[1], {jobs = {}, served = {}, waiting = {}}
local function hash(name)
  local flat, found = redis.call('HGETALL', name), {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end
for _, id in ipairs(ARGV) do
  local row = hash(P .. 'job:' .. id)
  if row.state then
    local one = {row = row, leases = {}, done = {}, states = {}}
    one.retry = redis.call('ZRANGE', P .. 'retry:' .. id, 0, -1)
    one.attempts, one.units = hash(P .. 'attempts:' .. id), hash(P .. 'units:' .. id)
    for unit = 0, row.units - 1 do
      if redis.call('GETBIT', P .. 'done:' .. id, unit) == 1 then one.done[#one.done + 1] = unit end
    end
    for _, fence in ipairs(redis.call('SMEMBERS', P .. 'job_leases:' .. id)) do
      local lease = hash(P .. 'lease:' .. fence)
      lease.is_held = redis.call('SISMEMBER', P .. 'held:' .. lease.holder, fence)
      one.leases[fence] = lease
    end
    for _, state in ipairs({'queued', 'running', 'succeeded', 'failed', 'canceled', 'expired'}) do
      local listed = redis.call('ZSCORE', P .. 'jobs:' .. state, id)
      if listed then one.states[#one.states + 1] = state end
    end
    local ready = P .. 'ready:' .. row.lane .. ':' .. row.priority
    local aside = P .. 'aside:' .. row.user
    one.is_aside = redis.call('HEXISTS', aside, row.lane .. ':' .. row.priority) == 1
    one.is_ready = redis.call('ZSCORE', ready .. ':' .. row.user, id) ~= false
      and (redis.call('ZSCORE', ready, row.user) ~= false) ~= one.is_aside
    one.is_due = redis.call('ZSCORE', P .. 'due', id) ~= false
    one.is_pending = redis.call('ZSCORE', P .. 'pending', id) ~= false
    farm.jobs[id] = one
    farm.served[row.lane] = redis.call('HKEYS', P .. 'priority_served:' .. row.lane)
  end
end
for priority = 0, 2 do
  farm.waiting[tostring(priority)] = redis.call('SMEMBERS', P .. 'waiting_lanes:' .. priority)
end
farm.leases = redis.call('ZRANGE', P .. 'leases', 0, -1)
farm.lanes, farm.open = hash(P .. 'lanes'), redis.call('GET', P .. 'open')
farm.opened, farm.slices = hash(P .. 'open_by_user'), hash(P .. 'slices')
return cjson.encode(farm)
"""


def submission(job: str, units: int = 1, **fields: Any) -> Submission:
    """A picture or several of ada, in normal handling, but for ``fields``."""
    values: dict[str, Any] = {"kind": "text-to-image", "lane": LANE, "user": "ada", "priority": 1}
    return Submission(id=job, units=units, **(values | {"digest": "d1"} | fields))


class AuditedFarm:
    """One farm of its own on a shared server; `audit` says whether its books are in order."""

    def __init__(self, url: str, **limits: float) -> None:
        farm = f"t{secrets.token_hex(6)}"
        self.settings = Settings(farm=farm, broker_url=SecretStr(url))
        self.ledger = Ledger(self.settings)
        self.redis = redis.Redis.from_url(url, decode_responses=True)
        self.jobs: list[str] = []
        self.limits = QueueLimits(self.settings)
        self.pending = PendingJobs(self.settings)
        if limits:
            self.limits.set_limits(limits)

    def key(self, *parts: object) -> str:
        """The name of a key of this farm."""
        return ":".join([self.settings.farm, *map(str, parts)])

    def close(self) -> None:
        """Remove everything of this farm, and of no other."""
        for name in self.redis.scan_iter(f"{self.settings.farm}:*", count=1000):
            self.redis.unlink(name)
        self.redis.close()
        self.ledger.close()
        self.limits.close()
        self.pending.close()

    # -- short words -------------------------------------------------------------------------

    def submit(self, job: str, units: int = 1, **fields: Any) -> str:
        """Enter a job and return its id."""
        return self._note(self.ledger.submit(submission(job, units, **fields)).id)

    def hold(self, job: str, units: int = 1, *, beside: bool = False, **fields: Any) -> Hold:
        """Enter a job as pending."""
        (found,) = self.hold_all(submission(job, units, **fields), beside=beside)
        return found

    def hold_all(self, *jobs: Submission, beside: bool = False) -> list[Hold]:
        """Enter all jobs as pending, or none."""
        found = self.pending.hold(jobs, beside=beside)
        for hold in found:
            self._note(hold.id)
        return found

    def accept(self, job: str) -> tuple[str, str]:
        """Accept a pending job; returns the decision and the id."""
        (found,) = self.pending.accept([job])
        return found.decision.value, found.id

    def _note(self, job: str) -> str:
        if job not in self.jobs:
            self.jobs.append(job)
        return job

    def claim(self, most: int = 1000, worker: str = "w1", pid: int = 1, lane: str = LANE) -> Slice:
        """A slice; fails the test when there is none."""
        slice_ = self.try_claim(most, worker, pid, lane)
        assert slice_ is not None, "nothing was handed out"
        return slice_

    def try_claim(
        self,
        most: int = 1000,
        worker: str = "w1",
        pid: int = 1,
        lane: str = LANE,
        *,
        others_first: bool = False,
    ) -> Slice | None:
        """A slice, or None."""
        holder = holder_of(worker, pid)
        return self.ledger.claim(lane, worker, holder, most, others_first=others_first)

    def draw(self, slice_: Slice, units: Iterable[int] | None = None) -> list[UnitOutcome]:
        """Begin and commit units of a slice, all of them by default."""
        return [self.draw_one(slice_, unit) for unit in (slice_.units if units is None else units)]

    def draw_one(self, slice_: Slice, unit: int) -> UnitOutcome:
        """Begin and commit one unit."""
        self.ledger.start(slice_.fence, unit)
        return self.ledger.commit(slice_.fence, unit, {"key": f"{slice_.job_id}/{unit}"})

    def fail(self, slice_: Slice, unit: int, *, retry: bool = True) -> UnitOutcome:
        """Report a fault of one unit."""
        return self.ledger.fail(slice_.fence, unit, RetryElsewhere("told to"), retry=retry)

    def work_off(self, lane: str = LANE) -> list[str]:
        """Be a healthy worker until nothing is left; the ids in the order of their slices."""
        served = []
        while slice_ := self.try_claim(lane=lane):
            served.append(slice_.job_id)
            if UnitOutcome.LAST in self.draw(slice_) or slice_.finish:
                self.ledger.finish(slice_.fence, "told to")
        return served

    def state(self, job: str) -> str:
        """The state of a job."""
        return self.ledger.get(job).state.value

    # -- time --------------------------------------------------------------------------------

    def lose(self, *slices: Slice) -> None:
        """Let the leases of these slices run out unbeaten, and sweep."""
        self.redis.zadd(self.key("leases"), {str(slice_.fence): 1 for slice_ in slices}, xx=True)
        self.sweep()

    def sweep(self, *, after_outage: bool = False) -> list[tuple[str, int, int]]:
        """Reconcile now, whenever that was done last."""
        now, _ = self.redis.time()
        ago_s = 3600 if after_outage else 3
        self.redis.set(self.key("swept"), (now - ago_s) * 1000)
        lanes = self.ledger.sweep()
        assert lanes is not None
        return lanes

    def make_due(self, job: str) -> None:
        """Let the time of every retry of a job come."""
        units = cast("list[str]", self.redis.zrange(self.key("retry", job), 0, -1))
        if units:
            self.redis.zadd(self.key("retry", job), dict.fromkeys(units, 1))
        self.redis.zadd(self.key("due"), {job: 1}, xx=True)
        self.sweep()

    def pass_deadline(self, job: str, *, swept: bool = True) -> None:
        """Let the deadline of a job pass."""
        self.redis.hset(self.key("job", job), "expires", 1)
        self.redis.zadd(self.key("expiries"), {job: 1})
        if swept:
            self.sweep()

    # -- audit -------------------------------------------------------------------------------

    def audit(self) -> dict[str, dict[str, str]]:
        """Check what must hold between any two calls; returns the rows of all jobs."""
        farm = self._read_all()
        audit_books(farm)
        return {job: books["row"] for job, books in farm["jobs"].items()}

    def places(self, job: str) -> dict[str, set[int]]:
        """Where every unit of a job is."""
        return places_of(self._read_all(job)["jobs"][job])

    def leftovers(self, job: str) -> list[str]:
        """Keys of a job other than its row and its events."""
        kinds = ("retry", "attempts", "done", "units", "leased")
        return [kind for kind in kinds if self.redis.exists(self.key(kind, job))]

    def _read_all(self, *jobs: str) -> dict[str, Any]:
        """Everything there is about some jobs, all by default, at one moment."""
        prefix = f"{self.settings.farm}:"
        text = self.redis.eval(_READ_ALL, 1, prefix, *(jobs or self.jobs))
        farm: dict[str, Any] = json.loads(cast("str", text))
        return farm
