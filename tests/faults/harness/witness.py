"""What was really drawn, as the engine wrote it down outside of broker and store."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

Picture = tuple[str, int]  #: prompt and seed


@dataclass(frozen=True)
class Line:
    """One picture that was begun or drawn."""

    picture: Picture
    is_end: bool
    pid: int
    at: float  #: of the machine's monotonic clock, the same for all its processes


class Witness:
    """Reads the file to which every rendering process of a farm appends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[Line] = []
        self._read_to = 0

    def lines(self) -> list[Line]:
        """Everything written so far, in order; reads only what is new."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._read_to += len(whole) + 1
                self._lines += [_line(text) for text in whole.splitlines()]
        return self._lines

    def begun(self) -> Counter[Picture]:
        """Picture → how often drawing it was begun."""
        return Counter(line.picture for line in self.lines() if not line.is_end)

    def drawn(self) -> Counter[Picture]:
        """Picture → how often it was drawn to its end."""
        return Counter(line.picture for line in self.lines() if line.is_end)


def _line(text: bytes) -> Line:
    told = json.loads(text)
    return Line((told["prompt"], told["seed"]), told["did"] == "end", told["pid"], told["at"])
