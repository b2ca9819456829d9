"""What a rendering process has done so far, counted for metrics."""

from __future__ import annotations

import secrets
import threading
from collections import Counter


class Tally:
    """Totals since the process began, by name and model; may be added to from any thread.

    The process tells all of them in its description, and the ledger adds what is new: so each is
    counted once, however often a description is sent or lost.
    """

    def __init__(self) -> None:
        self.process = secrets.token_hex(8)  #: a name; process ids come again in containers
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()

    def add(self, name: str, model: str = "", amount: float = 1) -> None:
        """Count something of a model, given with its precision, or of the worker itself."""
        with self._lock:
            self._totals[f"{name} {model}".rstrip()] += amount  # type: ignore[assignment]

    def totals(self) -> dict[str, float]:
        """Name, and model if there is one → total."""
        with self._lock:
            return {name: round(total, 3) for name, total in self._totals.items()}
