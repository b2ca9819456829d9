"""Encodes each text once while it is in use: most pictures share their negative prompt with others.

Texts are told apart by their tokens, so prompts and negative prompts, of any job and kind, are kept
in one place. Each is encoded by itself: what comes of it depends neither on what else is asked for
in the same call, nor on whether it was kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_KEPT_BYTES = 64 * 2**20  #: of one text encoder; the largest known one gives 13 MiB a text

Array = npt.NDArray[Any]
Key = tuple[tuple[str, bytes], ...]


class KeptTexts:
    """Acts as the compiled text encoder it is given."""

    def __init__(self, encoder: Any, most_bytes: int = MOST_KEPT_BYTES) -> None:
        """What was used last is kept, up to ``most_bytes``; 0 keeps nothing."""
        self._encoder = encoder
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Key, Encoded] = OrderedDict()
        self.kept_bytes = 0

    def __call__(self, inputs: Mapping[str, Any], share_inputs: bool = False) -> Encoded:
        """Encode texts; every input has one row for each of them."""
        arrays = {name: np.asarray(value) for name, value in inputs.items()}
        count = len(next(iter(arrays.values())))
        found = [
            self._encoded({name: rows[n : n + 1] for name, rows in arrays.items()})
            for n in range(count)
        ]
        return Encoded.together(found)

    def get_property(self, name: str) -> Any:
        """A property of the compiled encoder."""
        return self._encoder.get_property(name)

    def _encoded(self, text: dict[str, Array]) -> Encoded:
        key = tuple((name, row.tobytes()) for name, row in text.items())
        encoded = self._kept.pop(key, None)
        if encoded is None:
            outputs = self._encoder({name: row.copy() for name, row in text.items()})
            places = {name: n for n, names in enumerate(outputs.names()) for name in names}
            encoded = Encoded(outputs.to_tuple(), places)
            self.kept_bytes += encoded.size
        self._kept[key] = encoded
        while self.kept_bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.kept_bytes -= oldest.size
        return encoded


class Encoded:
    """What a call of a compiled text encoder returns, as far as it is read."""

    def __init__(self, values: tuple[Array, ...], places: Mapping[str, int]) -> None:
        """``places`` has the number of each output by each of its names."""
        self._values = values
        self._places = places

    @classmethod
    def together(cls, texts: list[Encoded]) -> Encoded:
        """The outputs for several texts, in arrays of their own: those kept are never written."""
        columns = zip(*(text._values for text in texts), strict=True)
        return cls(tuple(np.concatenate(column) for column in columns), texts[0]._places)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(value.nbytes for value in self._values)

    def __getitem__(self, output: int | str) -> Array:
        """An output by its number or one of its names."""
        return self._values[output if isinstance(output, int) else self._places[output]]
