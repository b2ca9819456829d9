"""A rendering process gives up at once what it must not draw, if it is not drawing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, cast

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.worker_process import await_condition

from winepress_shared.ledger.previews import PreviewStore
from winepress_shared.ledger.records import Directive, Slice, UnitOutcome
from winepress_worker.renderer.lease_client import LeaseClient
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.preview_publisher import PreviewPublisher
from winepress_worker.renderer.unfit import Unfit

_WAIT_S = 60.0
_MOMENT_S = 0.5  #: for what must not happen

Named = SimpleQueue[Mapping[int, Collection[int]]]


@pytest.fixture
def named(farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch) -> Named:
    """What the process named as all that it has in hand, once the ledger has heard it."""
    found: Named = SimpleQueue()
    disown = farm.ledger.disown

    def noted(holder: str, in_hand: Mapping[int, Collection[int]]) -> None:
        disown(holder, in_hand)
        found.put(in_hand)

    monkeypatch.setattr(farm.ledger, "disown", noted)
    return found


@pytest.fixture
def leases(farm: AuditedFarm, named: Named) -> LeaseClient:
    """A process of the worker w1, which listens for orders and has named what it has in hand."""
    messenger = Messenger()
    messenger.start()
    previews = PreviewPublisher(cast("PreviewStore", None), messenger)
    client = LeaseClient(farm.ledger, "w1", 1, previews, messenger, Unfit(lambda model: None))
    client.listen()
    assert named.get(timeout=_WAIT_S) == {}
    return client


def _is_held(farm: AuditedFarm, slice_: Slice) -> bool:
    farm.ledger.tell("w1/1", str(slice_.fence))  # as its parent does at each beat
    return bool(farm.redis.sismember(farm.key("held", "w1/1"), str(slice_.fence)))


def test_a_slice_whose_claim_was_never_answered_is_given_up_when_it_is_lost(
    farm: AuditedFarm, leases: LeaseClient
) -> None:
    """No call of this process names it, and an idle process asks for nothing more."""
    farm.submit("job", 4)
    unanswered = farm.claim(most=1)
    farm.lose(unanswered)
    await_condition(lambda: not _is_held(farm, unanswered))


def test_a_slice_whose_picture_is_on_its_way_is_given_up_when_its_job_ends(
    farm: AuditedFarm, leases: LeaseClient
) -> None:
    """A store that takes a minute to answer is no reason to replace who waits for it."""
    farm.submit("job")
    (slice_,) = leases.claim(LANE, 1, begin=True)
    leases.watch((slice_, 0))(1, 2)
    leases.rest()
    farm.ledger.control("job", "cancel")
    await_condition(lambda: not _is_held(farm, slice_))
    await_condition(lambda: not leases.holds(slice_))


def test_a_slice_whose_claim_is_being_answered_is_not_given_up(
    farm: AuditedFarm, leases: LeaseClient, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a new channel a process names what it has in hand: then this slice too.

    Else it was drawn by this process and, because its lease had ended, begun again by another one.
    """
    claim = farm.ledger.claim_together

    def claim_and_reconnect(*terms: Any, **more: Any) -> list[Slice]:
        slices = claim(*terms, **more)
        farm.redis.client_kill_filter(_type="pubsub")
        with suppress(Empty):
            named.put(named.get(timeout=_MOMENT_S))
        return slices

    monkeypatch.setattr(farm.ledger, "claim_together", claim_and_reconnect)
    farm.submit("job")
    (slice_,) = leases.claim(LANE, 1, begin=True)
    assert named.get(timeout=_WAIT_S) == {slice_.fence: (0,)}
    assert farm.draw_one(slice_, 0) is UnitOutcome.LAST


def test_a_slice_that_is_being_drawn_is_given_up_by_who_draws_it(
    farm: AuditedFarm, leases: LeaseClient
) -> None:
    """Until it obeys its parent must see it: what hangs in a driver is killed."""
    farm.submit("job")
    farm.submit("other", user="bob")
    (slice_,) = leases.claim(LANE, 1, begin=True)
    idle = farm.claim(most=1)
    leases.watch((slice_, 0))
    farm.ledger.control(slice_.job_id, "cancel")
    farm.ledger.control(idle.job_id, "cancel")
    assert _is_held(farm, slice_)
    await_condition(lambda: not _is_held(farm, idle))  # it heard of both, in this order
    assert _is_held(farm, slice_)


def test_a_paused_slice_keeps_its_picture_on_its_way(
    farm: AuditedFarm, leases: LeaseClient
) -> None:
    """A pause lets finished work be counted."""
    farm.submit("job")
    farm.submit("other", user="bob")
    (slice_,) = leases.claim(LANE, 1, begin=True)
    lost = farm.claim(most=1)
    leases.rest()
    farm.ledger.control(slice_.job_id, "pause")
    farm.ledger.control(lost.job_id, "cancel")
    assert _is_held(farm, slice_)
    await_condition(lambda: not _is_held(farm, lost))
    assert _is_held(farm, slice_)


def test_a_process_that_asks_for_more_has_nothing_to_give_up_of_what_it_lost(
    farm: AuditedFarm,
) -> None:
    """Else its parent takes it for one that does not obey, and kills it over its next slice.

    It cannot give up a slice whose claim was never answered, and one whose last picture is on its
    way to a slow store it gives up late.
    """
    farm.submit("job", 8)
    farm.submit("canceled")
    unanswered, on_its_way, going = farm.claim(most=1), farm.claim(most=1), farm.claim(most=1)
    while going.job_id != "canceled":
        going = farm.claim(most=1)
    farm.lose(unanswered, on_its_way)
    farm.ledger.control("canceled", "cancel")
    told = {lease.fence: lease.directive for lease in farm.ledger.beat("w1", "w1/1", {}).leases}
    assert told[unanswered.fence] is told[on_its_way.fence] is Directive.LOST
    assert told[going.fence] is Directive.CANCEL
    following = farm.claim(most=1)
    told = {lease.fence: lease.directive for lease in farm.ledger.beat("w1", "w1/1", {}).leases}
    assert set(told.values()) == {Directive.OK}
    assert following.fence in told
    assert farm.draw_one(on_its_way, on_its_way.units[0]) is UnitOutcome.LOST
