"""What a link that stalled delivers after its sender has given it up and said more."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from support.audited_farm import LANE, AuditedFarm

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import UnitOutcome

Sent = tuple[Any, ...]


@pytest.fixture
def stalled(farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Sent]]:
    """Makes the link swallow the next call of a script, and returns what it holds back."""
    run = farm.ledger._run

    def stall(script: str) -> list[Sent]:
        held: list[Sent] = []

        def swallow(*call: Any) -> object:
            if call[0] != script or held:
                return run(*call)
            held.append(call)
            raise BrokerUnreachable("no answer in time")

        monkeypatch.setattr(farm.ledger, "_run", swallow)
        return held

    return stall


def test_what_a_process_said_it_has_in_hand_is_not_held_against_its_next_slice(
    farm: AuditedFarm, stalled: Callable[[str], list[Sent]]
) -> None:
    """A link that stalled delivers it after a later claim: else that slice is begun elsewhere."""
    farm.submit("job", 8)
    old = farm.claim(most=1)
    late = stalled("disown")
    with pytest.raises(BrokerUnreachable):
        farm.ledger.disown("w1/1", {old.fence: old.units})
    new = farm.claim(most=1)
    farm.ledger._run(*late[0])
    assert farm.draw(old) == farm.draw(new) == [UnitOutcome.OK]
    farm.ledger.disown("w1/1", {})
    assert farm.claim(worker="w2", most=2).attempts == 0


def test_an_answer_that_was_lost_does_not_make_a_late_message_true(
    farm: AuditedFarm, stalled: Callable[[str], list[Sent]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same claim, repeated, brings what the process did not know when it spoke."""
    farm.submit("job", 8)
    run = farm.ledger._run

    def cut(*call: Any) -> object:
        run(*call)
        raise BrokerUnreachable("no answer in time")

    monkeypatch.setattr(farm.ledger, "_run", cut)
    with pytest.raises(BrokerUnreachable):
        farm.try_claim(most=1)
    monkeypatch.undo()
    late = stalled("disown")
    with pytest.raises(BrokerUnreachable):
        farm.ledger.disown("w1/1", {})
    slice_ = farm.claim(most=1)
    farm.ledger._run(*late[0])
    assert farm.draw(slice_) == [UnitOutcome.OK]


def test_a_claim_that_comes_late_takes_nothing(
    farm: AuditedFarm, stalled: Callable[[str], list[Sent]]
) -> None:
    """Nobody waits for its answer, so nobody would draw the slice, and beats would renew it."""
    farm.submit("job", 8)
    late = stalled("claim")
    with pytest.raises(BrokerUnreachable):
        farm.try_claim(most=1)
    first, second = farm.claim(most=1), farm.claim(most=1)
    assert farm.ledger._run(*late[0]) is None
    held = {lease.fence for lease in farm.ledger.beat("w1", "w1/1", {}).leases}
    assert held == {first.fence, second.fence}
    assert farm.draw(first) == farm.draw(second) == [UnitOutcome.OK]


def test_what_came_late_makes_no_other_late_message_true(
    farm: AuditedFarm, stalled: Callable[[str], list[Sent]]
) -> None:
    """A link delivers all that it held back, one after the other."""
    farm.submit("job", 8)
    late: list[Sent] = []
    for _ in range(2):
        held = stalled("claim")
        with pytest.raises(BrokerUnreachable):
            farm.try_claim(most=1)
        late += held
    slice_ = farm.claim(most=1)
    assert [farm.ledger._run(*call) for call in late] == [None, None]
    assert [one.fence for one in farm.ledger.beat("w1", "w1/1", {}).leases] == [slice_.fence]


def test_a_message_that_comes_twice_is_no_late_one(
    farm: AuditedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client sends it again when its connection broke before the answer: then it is the same."""
    run = farm.ledger._run

    def send_twice(*call: Any) -> object:
        first = run(*call)
        assert run(*call) == first
        return first

    farm.submit("job", 8)
    monkeypatch.setattr(farm.ledger, "_run", send_twice)
    slice_ = farm.claim(most=1)
    farm.ledger.disown("w1/1", {slice_.fence: slice_.units})
    monkeypatch.undo()
    assert farm.draw(slice_) == [UnitOutcome.OK]


def test_another_life_of_a_process_is_heard_from_its_first_message(
    farm: AuditedFarm,
) -> None:
    """In a container the process has the same id after each start."""
    farm.submit("job", 8)
    for _ in range(3):
        farm.claim(most=1)
    reborn = Ledger(farm.settings)
    reborn.disown("w1/1", {})
    assert reborn.claim(LANE, "w1", "w1/1", 1) is not None
    assert len(farm.ledger.beat("w1", "w1/1", {}).leases) == 1
    reborn.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_life_of_its_own(farm: AuditedFarm) -> None:
    """It goes on from the same number as its parent, which is the first to speak."""
    farm.submit("job", 8)
    farm.claim(most=1)
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        is_heard = False
        try:
            os.read(told, 1)
            is_heard = farm.try_claim(most=1) is not None
        finally:
            os._exit(0 if is_heard else 1)
    farm.claim(most=1)
    farm.claim(most=1)
    os.write(tell, b"!")
    os.close(told)
    os.close(tell)
    assert os.waitpid(pid, 0)[1] == 0
