"""What is finished waits for a store that is away, for so long and no longer."""

from __future__ import annotations

import pytest

from winepress_shared.errors import ObjectTooLarge, StoreRefused, StoreUnreachable
from winepress_worker.parent.supervisor import LOAD_LIMIT_S
from winepress_worker.renderer.store_outage import PATIENCE_S, StoreOutage

_TRY_S = 180.0  #: a store that takes connections and answers nothing


class _Store:
    """Is away until a moment; each try takes a while."""

    def __init__(self, back_at: float, try_s: float = 0.0) -> None:
        self.now = 0.0
        self.tries = 0
        self._back_at = back_at
        self._try_s = try_s
        self.outage = StoreOutage(lambda: self.now, self._pass)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def put(self) -> str:
        self.tries += 1
        if self.now < self._back_at:
            self._pass(self._try_s)
            raise StoreUnreachable("away")
        return "stored"

    def store(self) -> str:
        return self.outage.outlast(self.put, lambda: True)


def test_what_is_finished_is_stored_when_the_store_is_back() -> None:
    """Nothing is drawn again, and everything else goes without a wait."""
    store = _Store(back_at=300)
    assert store.store() == "stored"
    tries, now = store.tries, store.now
    assert store.store() == "stored"
    assert (store.tries, store.now, store.outage.is_on) == (tries + 1, now, False)


@pytest.mark.parametrize("try_s", [0.0, _TRY_S])
def test_patience_ends_once_for_all_that_waits_and_before_a_parent_loses_its_own(
    try_s: float,
) -> None:
    """A lease whose process makes no step for too long ends with that process."""
    store = _Store(back_at=1e9, try_s=try_s)
    for _ in range(50):
        with pytest.raises(StoreUnreachable):
            store.store()
    assert PATIENCE_S <= store.now < LOAD_LIMIT_S
    store.outage.begin_anew()
    with pytest.raises(StoreUnreachable):
        store.store()
    assert store.now >= 2 * PATIENCE_S


def test_what_nobody_wants_any_more_does_not_wait() -> None:
    """Its job was canceled, or its worker leaves."""
    store = _Store(back_at=1e9)
    with pytest.raises(StoreUnreachable):
        store.outage.outlast(store.put, lambda: False)
    assert (store.now, store.tries) == (0, 1)


@pytest.mark.parametrize("kind", [StoreRefused, ObjectTooLarge])
def test_a_store_that_answers_is_not_waited_for(kind: type[StoreUnreachable]) -> None:
    """What it refuses now it refuses in a minute."""
    outage = StoreOutage(sleep=lambda _: pytest.fail("it waited"))

    def refuse() -> None:
        raise kind("no")

    with pytest.raises(kind):
        outage.outlast(refuse, lambda: True)
