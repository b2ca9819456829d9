"""A store that does not keep what was written first is found out before it matters."""

from __future__ import annotations

from typing import Any

import pytest

from winepress_shared.archive import Archive
from winepress_shared.errors import StoreRefused
from winepress_shared.stores.base import Store
from winepress_shared.stores.conditional_writes import check_conditional_writes


class _Forgetful:
    """A store that takes a condition for a comment, as some servers do."""

    def put_new(self, key: str, data: bytes, **_: Any) -> bool:
        return True


def test_our_stores_keep_the_first_of_two_writes(store: Store) -> None:
    """However often it is tried; and no job is taken for it."""
    for _ in range(2):
        check_conditional_writes(store)
    assert not Archive(store).has_jobs


def test_a_store_that_ignores_conditions_is_told_of() -> None:
    """With what would help."""
    store: Any = _Forgetful()
    with pytest.raises(StoreRefused, match=r"If-None-Match.*Use a server"):
        check_conditional_writes(store)
