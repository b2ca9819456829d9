"""What an examination of the farm found to be well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What is well: a sentence, and everything that it names no more than a handful of."""

    text: str
    all: Sequence[str] = ()
