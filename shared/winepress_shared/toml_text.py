"""Parses TOML from outside, with every fault as a ValueError with a message."""

from __future__ import annotations

import tomllib
from typing import Any


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML text; raises ValueError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("lists or tables are nested too deeply") from None
    except ValueError:  # Python does not convert integers of more than 4300 digits
        raise ValueError("a number has too many digits") from None
