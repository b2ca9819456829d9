"""What a worker's parent does beside Celery: beats, watches its renderer, reconciles the farm.

The parent never imports OpenVINO or torch, so it answers whatever the renderer is doing.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from winepress_shared.errors import BrokerUnreachable, RetryElsewhere, WrongUsage
from winepress_shared.lane import model_key
from winepress_shared.ledger.ledger import Ledger, holder_of
from winepress_shared.ledger.records import BEAT_S, Directive, HeartbeatReply, Lease
from winepress_shared.ticket_policy import missing_tickets
from winepress_worker.options import DEFAULT_DRAIN_S
from winepress_worker.parent.consumption import Consumption

log = logging.getLogger(__name__)

_FOLLOW_S = 8.0  #: least time between two looks for models that have come or gone
_TICK_S = 0.5  #: how soon a dead renderer is noticed
CANCEL_GRACE_S = 10.0  #: a renderer that has not obeyed by then, or in two steps, is killed
STEPS_OF_GRACE = 2
RECONNECT_S = 20.0  #: after an outage the renderer may hear of orders so much later
STUCK_FLOOR_S = 120.0  #: no step for this long, or for ten median steps, is stuck
STUCK_STEPS = 10
#: Before the first step a model may have to be prepared and compiled; after the last one a slow
#: store may have to be waited for.
LOAD_LIMIT_S = 900.0
#: An idle consumer that has not asked for a ticket for so long is dead. After a silent cut Celery
#: needs up to a minute to connect anew.
ASK_LIMIT_S = 180.0
_EXIT_BROKEN = 70  #: exit status of a worker that must be started again (EX_SOFTWARE)


class WorkerSupervisor(threading.Thread):
    """Keeps one worker's place in the farm."""

    def __init__(
        self,
        ledger: Ledger,
        worker: str,
        facts: dict[str, Any],
        renderer_pid: Callable[[], int],
        send_tickets: Callable[[str, int], None],
        follow_lanes: Callable[[], dict[str, Any]],
        consumption: Consumption,
        drain_s: float = DEFAULT_DRAIN_S,
    ) -> None:
        """``follow_lanes`` opens and closes lanes as models come and go, and returns facts of them.

        ``facts`` describe the worker.
        """
        super().__init__(name="supervisor", daemon=True)
        self._ledger = ledger
        self._worker = worker
        self._facts = facts
        self._renderer_pid = renderer_pid
        self._send_tickets = send_tickets
        self._follow_lanes = follow_lanes
        self._consumption = consumption
        self._drain_s = drain_s
        self._drained_at: float | None = None  # when the renderer was first told to leave
        self._life = secrets.token_hex(8)  # a second worker of the name has another
        self._told: dict[str, Any] = facts  # the facts of the last beat
        self._followed_at = -math.inf
        self._disobeyed: dict[int, float] = {}  # fence → when it was first told to stop
        self._heard_since = -math.inf  # from when on the renderer could report its steps
        self._over = threading.Event()
        self.draining = threading.Event()
        self.show_life: Callable[[], None] = lambda: None  #: called with every tick
        self.heartbeat = HeartbeatReply((), {})

    def arrive(self) -> None:
        """Take the name, and end the leases that an earlier process of it left, before claims.

        A container that starts again gives its processes the same ids, so leases of the old
        process would be taken for those of the new one, and renewed.
        """
        try:
            holder = holder_of(self._worker, 0)
            self._ledger.beat(self._worker, holder, self._facts, self._life, arrives=1)
        except BrokerUnreachable as error:
            log.warning("%s", error)

    def run(self) -> None:
        """Tick until stopped; an outage of the broker is waited out."""
        pid, beaten_at = -1, 0.0
        while not self._over.wait(_TICK_S):
            current = self._renderer_pid()
            if current == pid and time.monotonic() - beaten_at < BEAT_S and not self._urgent:
                continue
            is_new, pid, beaten_at = current != pid, current, time.monotonic()
            self._tick(pid, is_new=is_new)

    def _tick(self, pid: int, *, is_new: bool = False) -> None:
        try:
            self._beat(pid)
            self._prove_consumption(pid)
            self._reconcile(at_once=is_new)
            self._follow()
        except BrokerUnreachable as error:
            self._consumption.excuse()
            log.warning("%s", error)
        except WrongUsage as error:  # two of one name would end each other's leases at each beat
            log.critical("%s", error)
            os._exit(error.exit_code)
        except Exception:  # the edge of the thread: without it the leases of a worker
            # that goes on drawing would all run out, for as long as it lives.
            log.exception("unexpected error in a beat")
        self.show_life()

    @property
    def _urgent(self) -> bool:
        is_news = self._facts_now != self._told
        return is_news or self.draining.is_set() or bool(self._disobeyed)

    def stop(self) -> None:
        """End the thread and leave the farm; slices that the renderer still holds are handed on."""
        self._over.set()
        self.join(timeout=BEAT_S)
        try:
            self._ledger.leave(self._worker, self._life)
        except BrokerUnreachable as error:
            log.warning("could not sign off from the farm: %s", error)

    @property
    def _facts_now(self) -> dict[str, Any]:
        """The facts, without the lanes that the renderer cannot serve at the moment.

        Whoever is to follow under the same name reads that this worker is leaving.
        """
        unfit = self.heartbeat.renderer.get("unfit", {})
        lanes = [lane for lane in self._facts.get("lanes", ()) if model_key(lane) not in unfit]
        leaving = {"draining": True} if self.draining.is_set() else {}
        return self._facts | {"lanes": lanes} | leaving

    def _beat(self, pid: int) -> None:
        holder, self._told = holder_of(self._worker, pid), self._facts_now
        try:
            self.heartbeat = self._ledger.beat(self._worker, holder, self._told, self._life)
        except BrokerUnreachable:
            self._heard_since = math.inf
            self._disobeyed.clear()  # nobody could tell the renderer either
            raise
        # Steps that were drawn during an outage were not recorded.
        self._heard_since = min(self._heard_since, time.monotonic())
        if self.draining.is_set():
            self._drain(holder)
        for lease in self.heartbeat.leases:
            self._check(lease, pid)
        held = {lease.fence for lease in self.heartbeat.leases}
        self._disobeyed = {f: at for f, at in self._disobeyed.items() if f in held}

    def _drain(self, holder: str) -> None:
        """Have the renderer end what it draws, then leave it, then end without it."""
        self._drained_at = self._drained_at or time.monotonic()
        late_s = time.monotonic() - self._drained_at - self._drain_s
        self._ledger.tell(holder, "drain" if late_s < 0 else "leave")
        if late_s > CANCEL_GRACE_S:
            log.error("the renderer does not stop; its picture is left to others")
            self._ledger.leave(self._worker, self._life)
            os._exit(0)

    def _check(self, lease: Lease, pid: int) -> None:
        """Kill a renderer that ignores a directive or is stuck; its slices go on at once."""
        if lease.directive in (Directive.CANCEL, Directive.LOST):
            self._call_off(lease, pid)
            return
        idle_s = min(lease.idle_ms / 1000, time.monotonic() - self._heard_since)
        if idle_s > self._patience_s(lease):
            if lease.unit is not None and not self.heartbeat.is_shared:
                stuck = RetryElsewhere(f"no step for {idle_s:.0f} s: stuck")
                self._ledger.fail(lease.fence, lease.unit, stuck, retry=True)
            self._kill(pid, f"made no step for {idle_s:.0f} s")

    def _call_off(self, lease: Lease, pid: int) -> None:
        """Tell the renderer again to stop; kill it if it has had its time to do so."""
        self._ledger.tell(holder_of(self._worker, pid), str(lease.fence))
        told_at = self._disobeyed.setdefault(lease.fence, time.monotonic())
        since = max(told_at, self._heard_since + RECONNECT_S)
        grace_s = max(CANCEL_GRACE_S, STEPS_OF_GRACE * self._step_s)
        if time.monotonic() - since > grace_s:
            self._kill(pid, f"did not stop within {grace_s:.0f} s of being told to")

    @property
    def _step_s(self) -> float:
        """The median time of a step, as the renderer measured it."""
        return float(self.heartbeat.renderer.get("step_s", 0.0))

    def _patience_s(self, lease: Lease) -> float:
        if not lease.steps:
            return LOAD_LIMIT_S
        return max(STUCK_FLOOR_S, STUCK_STEPS * self._step_s)

    def _prove_consumption(self, pid: int) -> None:
        """Replace a renderer that works on a ticket and on no slice; end a worker that is deaf."""
        if self.draining.is_set():
            return
        silent_s, idle_s = self._consumption.look(has_slices=bool(self.heartbeat.leases))
        if silent_s > ASK_LIMIT_S:
            self._quit(f"has asked for no ticket for {silent_s:.0f} s")
        elif idle_s > 2 * LOAD_LIMIT_S:
            self._quit(f"has done nothing with a ticket for {idle_s:.0f} s")
        elif idle_s > LOAD_LIMIT_S:
            self._kill(pid, f"has had a ticket and no slice for {idle_s:.0f} s")

    def _quit(self, why: str) -> None:
        log.critical("this worker %s; it ends, to be started again", why)
        with contextlib.suppress(BrokerUnreachable):
            self._ledger.leave(self._worker, self._life)
        os._exit(_EXIT_BROKEN)

    def _kill(self, pid: int, why: str) -> None:
        log.error("renderer %s %s; it is killed", pid, why)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _follow(self) -> None:
        if time.monotonic() - self._followed_at > _FOLLOW_S and not self.draining.is_set():
            self._followed_at = time.monotonic()
            self._facts = self._facts | self._follow_lanes()

    def _reconcile(self, *, at_once: bool) -> None:
        """Sweep if nobody did lately; top up the tickets of lanes with more work than tickets.

        ``at_once``: in any case, for what the last renderer held waits, and others may be free.
        """
        if not (at_once or self.heartbeat.is_sweep_due):
            return
        # One ticket may come to this worker itself, whose next renderer is still starting.
        spare = 1 if at_once else 0
        lanes = self._ledger.sweep(at_once=at_once)
        if not lanes:
            return
        workers = self._ledger.worker_count()
        for lane, units, queued in lanes:
            missing = missing_tickets(units + spare, workers, queued)
            if missing:
                self._send_tickets(lane, missing)
