"""What one user may have waiting and in hand; and pauses of users, lanes and the farm."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.audited_farm import LANE, AuditedFarm
from support.servers import ValkeyServer

from winepress_shared.errors import InvalidJob, QueueFull
from winepress_shared.ledger.channel import Channel
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.ledger.records import Directive, UnitOutcome

OTHER = "vignette.int8"


@pytest.fixture
def strict(valkey_server: ValkeyServer) -> Iterator[AuditedFarm]:
    """A farm in which a user has at most 10 units that have not ended, and one slice in hand."""
    one = AuditedFarm(valkey_server.url, user_queue_limit=10, user_running_limit=1)
    try:
        yield one
        one.audit()
    finally:
        one.close()


@pytest.fixture
def book(farm: AuditedFarm) -> QueueLimits:
    """The pauses of the farm."""
    return QueueLimits(farm.settings)


# -- limits ----------------------------------------------------------------------------------


def test_what_is_paused_or_due_later_or_in_hand_counts_against_the_limit(
    valkey_server: ValkeyServer,
) -> None:
    """Nobody gets past the limit of the farm by pausing, or by jobs that start tomorrow."""
    farm = AuditedFarm(valkey_server.url, queue_limit=12)
    farm.submit("paused", 3)
    farm.ledger.control("paused", "pause")
    farm.submit("later", 3, starts_in_ms=3_600_000)
    farm.submit("now", 6)
    slice_ = farm.claim()
    farm.fail(slice_, slice_.units[0])  # due in a second
    assert sum(farm.ledger.waiting().values()) < 6
    with pytest.raises(QueueFull, match=r"got 12.*12 units"):
        farm.submit("more")
    farm.draw(slice_, slice_.units[1:])
    assert farm.submit("more") == "more"
    farm.ledger.control("paused", "cancel")
    assert farm.submit("even-more", 3) == "even-more"
    farm.ledger.control("paused", "retry")
    farm.audit()
    farm.close()


def test_a_user_at_their_limit_is_refused_and_others_are_not(strict: AuditedFarm) -> None:
    """The sentence names the user and both numbers."""
    strict.submit("full", 10)
    with pytest.raises(QueueFull, match=r"ada has no room .*got 10.*10 units of one user"):
        strict.submit("more")
    strict.submit("bobs", 10, user="bob")
    strict.draw(strict.claim())
    assert strict.submit("again") == "again"


def test_a_user_has_no_more_slices_in_hand_than_allowed(strict: AuditedFarm) -> None:
    """The second worker serves whoever is next; a user whose slice ended has their old turn."""
    strict.submit("a", 8, user="a")
    mine = strict.claim(2, "w1")
    strict.submit("b", 2, user="b")
    strict.submit("c", 2, user="c")
    theirs = [strict.claim(2, worker) for worker in ("w2", "w3")]
    assert [slice_.job_id for slice_ in theirs] == ["b", "c"]
    strict.audit()
    assert strict.try_claim(2, "w4") is None
    assert LANE not in strict.ledger.waiting(), "what nobody may take calls no worker"
    strict.draw(mine)
    assert strict.ledger.waiting() == {LANE: 6}
    assert strict.claim(2, "w4").job_id == "a"
    strict.draw(theirs[0])


def test_a_process_that_asks_for_more_has_drawn_what_it_holds(strict: AuditedFarm) -> None:
    """Its last picture may still be on its way to the store: the next slice need not wait."""
    strict.submit("job", 4)
    first = strict.claim(1)
    assert strict.try_claim(1, "w2") is None
    second = strict.claim(1)
    assert strict.try_claim(1, "w2") is None
    strict.draw(first)
    assert strict.try_claim(1, "w2") is None, "the second slice is still being drawn"
    strict.draw(second)
    assert strict.claim(1, "w2").job_id == "job"


def test_of_two_slices_in_hand_one_that_ends_makes_room_for_one(
    valkey_server: ValkeyServer,
) -> None:
    """Whether it was lost or its worker asks for more; the other one is in hand all the same."""
    farm = AuditedFarm(valkey_server.url, user_running_limit=2)
    farm.submit("job", 40)
    lost = farm.claim(1, "w1")
    farm.claim(1, "w2")
    assert farm.try_claim(1, "w3") is None
    farm.lose(lost)
    farm.claim(1, "w1")
    assert farm.try_claim(1, "w3") is None
    farm.claim(1, "w2")
    assert farm.try_claim(1, "w3") is None
    farm.audit()
    farm.close()


@pytest.mark.parametrize("way", ["lose", "release", "leave", "cancel", "bury"])
def test_however_a_slice_ends_its_user_may_have_another(strict: AuditedFarm, way: str) -> None:
    """No counter is left behind by a worker that dies, leaves or is told to stop."""
    strict.submit("job", 4)
    strict.submit("next", 4, lane=OTHER)
    slice_ = strict.claim(2)
    assert strict.try_claim(2, "w2", lane=OTHER) is None
    ways: dict[str, Callable[[], object]] = {
        "lose": lambda: strict.lose(slice_),
        "release": lambda: strict.ledger.release(slice_.fence, "w1/1"),
        "leave": lambda: strict.ledger.leave("w1"),
        "cancel": lambda: strict.ledger.control("job", "cancel"),
        "bury": lambda: strict.ledger.beat("w1", "w1/2", {}),
    }
    ways[way]()
    if way == "cancel":  # the worker hears of it, and says so
        strict.draw(slice_)
    strict.audit()
    assert strict.claim(2, "w2", lane=OTHER).job_id == "next"


def test_a_hundred_users_at_their_limit_do_not_hide_the_next(strict: AuditedFarm) -> None:
    """Each is met once and set aside; those who come later are served."""
    for number in range(100):
        strict.submit(f"j{number}", 2, user=f"u{number}")
    for number in range(100):
        strict.claim(1, f"w{number}")
    strict.submit("late", user="late")
    found = [strict.try_claim(1, "late-worker") for _ in range(2)]
    assert "late" in [slice_.job_id for slice_ in found if slice_]


# -- pauses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [{}, {"lane": LANE}, {"user": "ada"}])
def test_nothing_of_what_is_paused_is_handed_out_until_it_is_resumed(
    farm: AuditedFarm, book: QueueLimits, scope: dict[str, str]
) -> None:
    """The slice in hand is told to stop after its picture; nothing of it is lost."""
    farm.submit("job", 6)
    slice_ = farm.claim(3)
    channel = farm.ledger.directives("w1/1")
    channel.get_message(timeout=1)
    assert book.pause(**scope)
    assert not book.pause(**scope)
    assert _fence(channel) == str(slice_.fence)
    assert farm.ledger.progress(slice_.fence, 0, 1, 2) is Directive.YIELD
    assert farm.ledger.commit(slice_.fence, 0, {}) is UnitOutcome.OK
    assert farm.ledger.start(slice_.fence, 1) is Directive.YIELD
    assert [lease.directive for lease in farm.ledger.beat("w1", "w1/1", {}).leases] == [
        Directive.YIELD
    ]
    farm.ledger.release(slice_.fence, "w1/1")
    assert farm.try_claim() is None
    assert farm.sweep() == [], "no ticket calls a worker to what is paused"
    farm.audit()
    assert book.resume(**scope)
    assert not book.resume(**scope)
    assert farm.sweep() == [(LANE, 5, 0)]
    farm.work_off()
    assert farm.state("job") == "succeeded"


def test_a_pause_holds_back_no_more_than_it_names(farm: AuditedFarm, book: QueueLimits) -> None:
    """Other lanes and other users go on."""
    for job, lane, user in (("a", LANE, "ann"), ("b", OTHER, "ann"), ("c", LANE, "bob")):
        farm.submit(job, lane=lane, user=user)
    book.pause(user="ann")
    assert farm.work_off() + farm.work_off(OTHER) == ["c"]
    book.resume(user="ann")
    book.pause(lane=OTHER)
    assert farm.work_off() + farm.work_off(OTHER) == ["a"]
    assert book.pauses() == [f"lane:{OTHER}"]


def test_what_a_paused_user_submits_waits_too(farm: AuditedFarm, book: QueueLimits) -> None:
    """And is served in its order when they are resumed."""
    book.pause(user="ann")
    farm.submit("a1", user="ann")
    assert farm.try_claim() is None
    farm.submit("a2", user="ann")
    farm.submit("b1", user="bob")
    farm.ledger.control("a2", "front")
    assert farm.claim().job_id == "b1"
    farm.ledger.control("a1", "cancel")
    farm.audit()
    book.resume(user="ann")
    assert farm.claim().job_id == "a2"


def test_a_user_who_is_resumed_has_the_turn_they_had(farm: AuditedFarm, book: QueueLimits) -> None:
    """A pause is no way to the end of the line."""
    for user in ("ann", "bob", "cid"):
        farm.submit(user, 10, user=user)
    book.pause(user="ann")
    assert farm.claim(1).job_id == "bob"
    book.resume(user="ann")
    assert [farm.claim(1).job_id for _ in range(3)] == ["ann", "cid", "bob"]


@pytest.mark.parametrize(
    "scope", [{"user": "a b"}, {"user": "ann\n"}, {"lane": "nothing"}, {"user": "a", "lane": LANE}]
)
def test_what_is_no_user_and_no_lane_is_refused(book: QueueLimits, scope: dict[str, str]) -> None:
    """A typo must not look like a pause."""
    with pytest.raises(InvalidJob):
        book.pause(**scope)
    assert book.pauses() == []


def _fence(channel: Channel) -> str:
    for _ in range(30):
        message = channel.get_message(timeout=1)
        if message:
            return str(message["data"])
    raise AssertionError("nothing came")
