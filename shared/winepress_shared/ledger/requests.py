"""Marks what rendering processes ask for, so that a server knows it when it comes twice or late."""

from __future__ import annotations

import itertools
import os
import secrets


class Requests:
    """The requests of the processes that use one ledger, which are its `holder_of` each."""

    def __init__(self) -> None:
        self._life = secrets.token_hex(8)  # a process of the same name counts from 1 again
        self._numbers = itertools.count(1)
        self._unanswered: dict[str, str] = {}  # holder → nonce of its request for slices

    def next(self) -> tuple[str, int]:
        """The life and the number of a message; in one life, a lower number was sent earlier.

        After a fork the child has a life of its own: it goes on from the same number.
        """
        return f"{self._life}{os.getpid():x}", next(self._numbers)

    def nonce(self, holder: str) -> str:
        """Of a request for slices, the same until it is answered.

        One that is repeated after a lost answer must not get other slices.
        """
        return self._unanswered.setdefault(holder, secrets.token_hex(8))

    def answered(self, holder: str) -> None:
        """The next request for slices is another one."""
        self._unanswered.pop(holder, None)
