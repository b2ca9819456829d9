"""What is counted of compiled parts decides nothing about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from winepress_worker.engines.compiled_parts import _is_from_blob


class _Compiled:
    def __init__(self, tell: Callable[[str], object]) -> None:
        self.get_property: Any = tell


def _refuse(name: str) -> object:
    raise RuntimeError(f"{name} is not supported")


@pytest.mark.parametrize(
    ("tell", "is_read"), [(lambda _: True, True), (lambda _: False, False), (_refuse, False)]
)
def test_a_device_that_does_not_tell_of_blobs_still_draws(
    tell: Callable[[str], object], is_read: bool
) -> None:
    """Drivers differ in what may be asked of a compiled model."""
    assert _is_from_blob(_Compiled(tell)) is is_read
