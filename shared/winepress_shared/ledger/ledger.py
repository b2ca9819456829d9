"""The record of all jobs, in Redis; every change is one Lua script run by the server.

The key layout is at the top of ``lua/prelude/1-keys.lua``. Time is always the server's. Redis is
disposable: the store holds every job (``jobs/ID/job.json``) and every finished unit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, cast

from winepress_shared.documents import read_facts, read_rows
from winepress_shared.ledger.channel import Channel
from winepress_shared.ledger.event_log import EventLog
from winepress_shared.ledger.events import Event
from winepress_shared.ledger.lanes import ALIVE_MS
from winepress_shared.ledger.pending import checked_answer
from winepress_shared.ledger.records import (
    Directive,
    HeartbeatReply,
    JobRow,
    Slice,
    StepReply,
    UnitOutcome,
    Worker,
    not_in_this_state,
    read_jobs,
    unknown_job,
)
from winepress_shared.ledger.requests import Requests
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.ledger.submissions import Entry, Submission
from winepress_shared.settings import Settings
from winepress_shared.state import JobState
from winepress_shared.ticket_policy import missing_tickets

LEASE_MS = 30_000  #: a lease ends this long after its last heartbeat
SWEEP_MS = 2_000  #: least time between two sweeps of the farm
GONE_MS = 60_000  #: a worker without a heartbeat for this long is forgotten
MAX_ATTEMPTS = 3  #: a unit started this often without success fails
RETRY_BACKOFF_MS = 1_000  #: before the first retry; doubled for each further retry
PATIENCE_MS = (3_600_000, 60_000, 300_000)  #: how long each priority may be passed over in a lane
_MESSAGE_CHARACTERS = 500  #: longest reason or message kept


def holder_of(worker: str, pid: int) -> str:
    """The name of the rendering process ``pid`` of a worker as a lease holder."""
    return f"{worker}/{pid}"


class Ledger:
    """One farm's ledger. Methods raise BrokerUnreachable if Redis does not answer."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self.settings = settings
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)
        self._queue_prefix = f"{settings.farm}:queue:"  #: see `broker.make_celery`
        self._run = self._server.run
        self._log = EventLog(self._server, self._prefix)
        self._requests = Requests()

    # -- producers ---------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()

    def ping(self) -> str | None:
        """Check that the broker answers; returns the primary's address if Sentinels name it."""
        with self._server.reaching():
            self._server.client.ping()
        return self._server.primary

    def submit(self, new: Submission) -> Entry:
        """Enter a job, or find the earlier one with its idempotency key.

        Raises Conflict if that job differs or if the submission was undone, and QueueFull at the
        limit of the farm or of the user.
        """
        answer = self._run("submit", *new.arguments(self._queue_prefix, "enter"))
        name, job_id, *numbers = checked_answer(new, answer)
        return Entry(job_id, name == "accepted", missing_tickets(*numbers))

    def keep_units(self, job_id: str, outputs: dict[int, dict[str, Any]]) -> None:
        """Record the finished units of a job that is about to be submitted again."""
        texts = {unit: json.dumps(output) for unit, output in outputs.items()}
        self._run("keep", job_id, *[text for pair in texts.items() for text in pair])

    def get(self, job_id: str) -> JobRow:
        """One job; raises NotFound."""
        (row,) = self._server.hashes([f"{self._prefix}job:{job_id}"])
        if not row:
            raise unknown_job(job_id)
        return JobRow.from_hash(job_id, row)

    def jobs(self, state: JobState | None = None, limit: int = 100) -> list[JobRow]:
        """The ``limit`` newest jobs (at least one), newest first, without `QueueLimits.damaged`."""
        index = f"{self._prefix}jobs" + (f":{state}" if state else "")
        with self._server.reaching():
            ids = cast("list[str]", self._server.client.zrevrange(index, 0, max(1, limit) - 1))
        rows = self._server.hashes([f"{self._prefix}job:{job_id}" for job_id in ids])
        return [row for row in read_jobs(ids, rows) if isinstance(row, JobRow)]

    def control(self, job_id: str, verb: str, reason: str = "") -> JobState:
        """Apply ``verb`` to a job, see ``control.lua``; raises NotFound or Conflict."""
        answer, state = self._run("control", job_id, verb, _plain(reason))
        if answer == "missing":
            raise unknown_job(job_id)
        if answer == "illegal":
            raise not_in_this_state(verb, JobState(state))
        return JobState(state)

    def events(self, job_id: str, after: str = "0", block_ms: int | None = None) -> list[Event]:
        """The events after the event ``after``; see `EventLog.read`."""
        return self._log.read({job_id: after}, block_ms).get(job_id, [])

    def outputs(self, job_id: str) -> dict[int, dict[str, Any]]:
        """Unit → its committed output or its error; empty once the job has succeeded."""
        with self._server.reaching():
            units = cast(
                "dict[str, str]", self._server.client.hgetall(f"{self._prefix}units:{job_id}")
            )
        return read_rows(units)

    def workers(self) -> list[Worker]:
        """Every worker that has beaten lately, by name."""
        with self._server.reaching():
            # Only live workers sweep, so dead ones may still be listed.
            now, _ = self._server.client.time()
            key, since = f"{self._prefix}workers", now * 1000 - GONE_MS
            found = self._server.client.zrangebyscore(key, since, "+inf", withscores=True)
            seen = cast("list[tuple[str, float]]", found)
            pipe = self._server.client.pipeline(transaction=False)
            for name, _ in seen:
                pipe.mget(f"{self._prefix}worker:{name}", f"{self._prefix}renderer:{name}")
            texts: list[list[str | None]] = pipe.execute()
        return [
            Worker(name, at / 1000, read_facts(own), read_facts(renderer))
            for (name, at), (own, renderer) in sorted(zip(seen, texts, strict=True))
        ]

    def worker_count(self) -> int:
        """The number of workers."""
        with self._server.reaching():
            return self._server.client.zcard(f"{self._prefix}workers")

    def waiting(self) -> dict[str, int]:
        """Lane → waiting units."""
        with self._server.reaching():
            lanes = cast("dict[str, str]", self._server.client.hgetall(f"{self._prefix}lanes"))
        return {lane: int(count) for lane, count in lanes.items() if count.isdecimal()}

    def missing_tickets(self, lane: str, units: int) -> int:
        """How many more tickets to send to a lane with ``units`` open units; see `ticket_policy`.

        A queued ticket will be taken after this call, so it counts for new work too.
        """
        with self._server.reaching():
            pipe = self._server.client.pipeline(transaction=False)
            pipe.llen(self._queue_prefix + lane)
            pipe.zcard(f"{self._prefix}workers")
            queued, workers = cast("list[int]", pipe.execute())
        return missing_tickets(units, workers, queued)

    # -- workers -----------------------------------------------------------------------------

    def claim(self, lane: str, worker: str, holder: str, most: int, **terms: bool) -> Slice | None:
        """Take one slice of up to ``most`` units, or None; for the rest see `claim_together`."""
        found = self.claim_together(lane, worker, holder, most, 1, **terms)
        return found[0] if found else None

    def claim_together(
        self,
        lane: str,
        worker: str,
        holder: str,
        most: int,
        together: int,
        *,
        begin: bool = False,
        others_first: bool = False,
    ) -> list[Slice]:
        """Take the next slice in ``lane``, and those after it that can share a call with it.

        The first has up to ``most`` units, rounded up to whole calls. Others follow, of that job or
        of others, as long as all have up to ``together`` units; see `Submission.alike`. ``holder``
        names the rendering process of ``worker``; see `holder_of`. ``begin`` starts the first unit
        at once, unless it was started before: see `Slice.begun`. With ``others_first``, units that
        ``worker`` failed at come last.
        """
        what = (lane, worker, holder, self._requests.nonce(holder), max(1, most), max(1, together))
        terms = (LEASE_MS, self._queue_prefix, ALIVE_MS, int(others_first), int(begin))
        found = self._run("claim", *what, *terms, *self._requests.next(), *PATIENCE_MS)
        self._requests.answered(holder)
        return [Slice.of(answer) for answer in json.loads(found or "[]")]

    def start(self, fence: int, *units: int) -> Directive:
        """Start units in order, counting an attempt for each; returns the first directive but OK.

        CALLED is returned only if all of them are started.
        """
        told = self.start_together([(fence, unit) for unit in units])
        told.sort(key=lambda one: one is Directive.CALLED)
        return next((one for one in told if one is not Directive.OK), Directive.OK)

    def start_together(self, units: Sequence[tuple[int, int]]) -> list[Directive]:
        """Start units, given as fence and unit, in order; returns a directive for each."""
        found = self._server.run_together(*(("start", fence, unit) for fence, unit in units))
        return list(map(Directive, found))

    def progress(self, fence: int, unit: int, step: int, steps: int) -> Directive:
        """Report ``step`` of ``steps`` done."""
        return self.progress_together([(fence, unit)], step, steps)[0].directive

    def progress_together(
        self, units: Sequence[tuple[int, int]], step: int, steps: int, age_s: float = 0.0
    ) -> list[StepReply]:
        """The same for units of one call, given as fence and unit; an answer for each.

        The step was done ``age_s`` seconds ago.
        """
        what = (step, steps, int(1000 * age_s))
        calls = (("progress", fence, unit, *what) for fence, unit in units)
        return [StepReply.of(answer) for answer in self._server.run_together(*calls)]

    def commit(self, fence: int, unit: int, output: dict[str, Any]) -> UnitOutcome:
        """Count a unit whose object is stored."""
        return UnitOutcome(
            self._run("commit", fence, unit, json.dumps(output, separators=(",", ":")))
        )

    def fail(self, fence: int, unit: int, error: Exception, *, retry: bool) -> UnitOutcome:
        """Count a failed attempt; with ``retry`` the unit is tried again, up to a limit."""
        what = (type(error).__name__, _plain(str(error)))
        limits = (int(retry), getattr(error, "most_attempts", MAX_ATTEMPTS), RETRY_BACKOFF_MS)
        return UnitOutcome(self._run("fail", fence, unit, *what, *limits))

    def finish(self, fence: int, reason: str = "") -> str:
        """End a job whose result is written; returns its state, or ``lost``."""
        return str(self._run("finish", fence, _plain(reason)))

    def release(
        self, fence: int, holder: str, park_ms: int = 0, reason: str = "", unserved: int = -1
    ) -> None:
        """Give the rest of a slice back without counting an attempt; may park its lane.

        ``unserved`` is a unit that cannot be served in the worker's environment.
        """
        self._run("release", fence, holder, park_ms, _plain(reason), unserved)

    def beat(
        self, worker: str, holder: str, facts: dict[str, Any], life: str = "", arrives: int = 0
    ) -> HeartbeatReply:
        """Renew the leases of ``holder``; end those of earlier processes of ``worker``.

        Raises WrongUsage if another ``life`` of the worker has arrived since this one did.
        """
        terms = (json.dumps(facts), LEASE_MS, MAX_ATTEMPTS, life, arrives, SWEEP_MS)
        return HeartbeatReply.of(worker, self._run("beat", worker, holder, *terms))

    def describe_renderer(self, worker: str, facts: dict[str, Any]) -> None:
        """Record the state of the rendering process."""
        self._run("describe", worker, json.dumps(facts), *facts.get("warm", ()))

    def disown(self, holder: str, in_hand: Mapping[int, Collection[int]]) -> None:
        """End slices of which ``holder`` has less ``in_hand`` (fence → units); not when late."""
        texts = ((str(fence), ",".join(map(str, units))) for fence, units in in_hand.items())
        self._run("disown", holder, *self._requests.next(), *chain.from_iterable(texts))

    def leave(self, worker: str, life: str = "") -> None:
        """A worker that stops on purpose hands its slices back; not if another ``life`` arrived."""
        self._run("leave", worker, life)

    def sweep(self, *, at_once: bool = False) -> list[tuple[str, int, int]] | None:
        """Reconcile if due or ``at_once``; (lane, units waiting, tickets queued) each, or None."""
        least_ms = 0 if at_once else SWEEP_MS
        found = self._run("sweep", least_ms, LEASE_MS, MAX_ATTEMPTS, GONE_MS, self._queue_prefix)
        return None if found is None else [(lane, units, queued) for lane, units, queued in found]

    def note(self, job_id: str, message: str) -> None:
        """Add the event ``note`` to a job: what its worker does before the first step."""
        self._run("note", job_id, _plain(message))

    def tell(self, holder: str, word: str) -> None:
        """Send ``word`` down the channel `directives` of a rendering process."""
        with self._server.reaching():
            self._server.client.publish(f"{self._prefix}directives:{holder}", word)

    def directives(self, holder: str) -> Channel:
        """A channel that carries the fence of each slice of ``holder`` that must stop."""
        return Channel(self._server, f"{self._prefix}directives:{holder}")


def _plain(text: str) -> str:
    """At most `_MESSAGE_CHARACTERS`, without characters that cannot be encoded."""
    return text[:_MESSAGE_CHARACTERS].encode("utf-8", "replace").decode()
