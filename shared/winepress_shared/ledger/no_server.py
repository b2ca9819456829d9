"""What the ledger in memory has in place of a server: everything that takes one is refused."""

from __future__ import annotations

import time
from typing import Any


class NotInMemory(NotImplementedError):
    """The in-memory ledger does not support this: a test of it needs a server."""


class NoServer:
    """Takes the place of the server and refuses every call."""

    def __getattr__(self, name: str) -> Any:
        raise NotInMemory(f"the ledger in memory has no server to ask for {name}")

    def run(self, script: str, *arguments: str | float) -> Any:
        """Refuse."""
        raise NotInMemory(f"the ledger in memory does not do what {script}.lua does")


class Silence:
    """A channel of directives without messages."""

    is_new = False

    def get_message(self, timeout: float) -> None:
        """Wait."""
        time.sleep(timeout)
