"""Whatever is called in whatever order: the ledger agrees with a small model of what must hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from support.audited_farm import AuditedFarm
from support.ledger_state_machine import LANES, USERS, WORKERS, LedgerMachine
from support.modelled_jobs import Held
from support.servers import ValkeyServer

from winepress_shared.ledger.ledger import holder_of
from winepress_shared.ledger.limits import QueueLimits

SCOPES = [{}, *({"user": user} for user in USERS), *({"lane": lane} for lane in LANES)]


class LimitedMachine(LedgerMachine):
    """A user has one slice in hand at the most; anything may be paused."""

    @initialize()
    def open_farm(self) -> None:
        super().open_farm()
        self.farm.close()
        self.farm = AuditedFarm(self.url, user_running_limit=1)
        self.limits = QueueLimits(self.farm.settings)
        self.paused: set[str] = set()

    @rule(scope=st.sampled_from(SCOPES), is_pause=st.booleans())
    def hold(self, scope: dict[str, str], is_pause: bool) -> None:
        (self.limits.pause if is_pause else self.limits.resume)(**scope)
        self.paused = set(self.limits.pauses())

    @rule(worker=st.sampled_from(WORKERS), lane=st.sampled_from(LANES))
    def claim_nothing_held_back(self, worker: str, lane: str) -> None:
        """What would be handed out may be; it is given back at once."""
        holder = holder_of(worker, self.pids[worker])
        before = list(self.held)
        slice_ = self.farm.try_claim(2, worker, self.pids[worker], lane)
        self._note_expiries()
        if slice_ is None:
            return
        row = self.farm.ledger.get(slice_.job_id)
        assert not {"farm", f"lane:{lane}", f"user:{row.user}"} & self.paused
        held_by_others = [
            held
            for held in before
            if held.is_live and held.holder != holder and self._counts(held, row.user)
        ]
        assert not held_by_others, "a second slice of one user is being drawn"
        self.farm.ledger.release(slice_.fence, holder)
        self.model[slice_.job_id].state = row.state
        self._take(lambda _: False)

    def _counts(self, held: Held, user: str) -> bool:
        return bool(self.farm.redis.hget(self.farm.key("lease", held.slice.fence), "user") == user)

    @invariant()
    def nobody_is_left_aside(self) -> None:
        """Whoever is set aside is paused, or has as much in hand as allowed."""
        if not hasattr(self, "farm"):
            return
        for user in USERS:
            if self.farm.redis.exists(self.farm.key("aside", user)):
                slices = int(self.farm.redis.hget(self.farm.key("slices"), user) or 0)
                assert slices >= 1 or f"user:{user}" in self.paused


@pytest.mark.parametrize(("machine", "examples"), [(LedgerMachine, 25), (LimitedMachine, 12)])
def test_no_order_of_calls_brings_the_books_into_disorder(
    valkey_server: ValkeyServer, machine: type[LedgerMachine], examples: int
) -> None:
    """Every accepted unit is in one place; stale fences count nothing; counters match.

    With limits and pauses too: nothing held back is handed out, nobody is left aside for ever.
    """
    limits = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("M", (machine,), {"url": valkey_server.url}), settings=limits)
