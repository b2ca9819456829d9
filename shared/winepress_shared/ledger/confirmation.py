"""The question what the disk of the broker has, and its answers.

`WAITAOF` tells how far the append-only file is synced, but only of what its own connection wrote.
So each question comes after a write, which also covers what others wrote before.
"""

from __future__ import annotations

from typing import Any, Protocol

from winepress_shared.errors import BrokerUnreachable

CONFIRM_MS = 5_000  #: longest wait for the disk; shorter than the client's wait for an answer
_UNKNOWN = "unknown command"  #: error of a server without `WAITAOF`
_NO_FILE = "appendonly is disabled"  #: error of one without an append-only file
OR_SECOND = "or set durability = second: a power cut may then take what the last seconds brought"


class _Pipe(Protocol):
    """Commands that are sent together."""

    def execute_command(self, *words: str | int) -> Any: ...


def ask_for_confirmation(pipe: _Pipe, prefix: str) -> None:
    """Add to ``pipe`` the question that `check_confirmed` reads the last answer of."""
    pipe.execute_command("SET", f"{prefix}synced", 1)
    pipe.execute_command("WAITAOF", 1, 0, CONFIRM_MS)


def check_confirmed(answer: object, address: str) -> None:
    """Raise BrokerUnreachable unless ``answer`` says that the disk has everything."""
    text = str(answer)
    if isinstance(answer, Exception) and _UNKNOWN in text:
        raise BrokerUnreachable(
            "the broker cannot say what its disk has, as durability = disk requires",
            value=address,
            hint=f"Use Valkey, or Redis 7.2 or newer, {OR_SECOND}",
        )
    if isinstance(answer, Exception) and _NO_FILE in text:
        raise BrokerUnreachable(
            "the broker keeps no append-only file, as durability = disk requires",
            value=address,
            hint=f"Set `appendonly yes` and `appendfsync always` in its configuration, {OR_SECOND}",
        )
    if isinstance(answer, Exception):
        raise answer
    if not (isinstance(answer, list) and answer and answer[0] == 1):
        raise BrokerUnreachable(
            f"the broker did not say within {CONFIRM_MS / 1000:.0f} s that its disk has this",
            value=address,
            hint=f"Its disk is slow or full: see the server's own log; {OR_SECOND}",
        )
