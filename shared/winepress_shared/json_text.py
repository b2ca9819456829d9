"""Strict reading of JSON from outside: no NaN, no duplicate names, no overlong numbers."""

from __future__ import annotations

import json
from collections import Counter
from typing import NoReturn

MAX_DIGITS = 40  #: characters of a number; no field needs half as many


def parse_json(text: str | bytes) -> object:
    """The value of a JSON text.

    Raises ValueError with a readable message, or JSONDecodeError where the place is known.
    """
    try:
        return json.loads(
            text,
            parse_int=_whole,
            parse_float=_number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None


def check_digits(written: str) -> str:
    """``written`` itself; raises ValueError if it is longer than `MAX_DIGITS`."""
    if len(written) > MAX_DIGITS:
        raise ValueError(f"a number of {len(written)} characters; {MAX_DIGITS} are allowed")
    return written


def _whole(written: str) -> int:
    return int(check_digits(written))


def _number(written: str) -> float:
    return float(check_digits(written))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice!r} is given twice")
    return values


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
