"""Headers of weight files in safetensors format, read without the weights.

Format: 8 bytes little-endian length of the header, a JSON object of tensors, then their bytes; see
https://huggingface.co/docs/safetensors (Format).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from winepress_shared.errors import EnvironmentFault

_MAX_HEADER_BYTES = 100_000_000  #: the format's own limit
_LENGTH_BYTES = 8


def header(path: Path) -> dict[str, dict[str, Any]]:
    """Every tensor's dtype, shape and offsets, by name.

    Raises EnvironmentFault if ``path`` is not a complete safetensors file; and OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 2 <= length <= min(_MAX_HEADER_BYTES, size - _LENGTH_BYTES):
            raise _damaged(path)
        text = file.read(length)
    try:
        tensors = json.loads(text)
        tensors.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise _damaged(path) from None
    if end != size - _LENGTH_BYTES - length:
        raise _damaged(path)
    return dict(tensors)


def is_half(folder: Path) -> bool:
    """True when the weights in ``folder`` have 16 bits."""
    tensors = (one for path in folder.glob("*.safetensors") for one in header(path).values())
    return next(tensors)["dtype"] in ("F16", "BF16")


def parameters(path: Path) -> int:
    """The number of parameters in a weight file."""
    return sum(math.prod(tensor["shape"]) for tensor in header(path).values())


def _damaged(path: Path) -> EnvironmentFault:
    return EnvironmentFault(
        f"{path.name} is damaged or incomplete",
        value=str(path),
        hint="fetch it again",
    )
