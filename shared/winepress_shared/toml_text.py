"""TOML from outside, with everything that is wrong with it said in words."""

from __future__ import annotations

import tomllib
from typing import Any


def parse_toml(text: str) -> dict[str, Any]:
    """The table a text stands for; raises ValueError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("lists or tables inside each other go too deep") from None
    except ValueError:  # Python converts no integer of more than 4300 digits
        raise ValueError("a number has too many digits") from None
