"""The questions what the disk of the broker and what a replica have, and their answers.

`WAITAOF` tells how far the append-only file is synced, but only of what its own connection wrote.
So each question comes after a write, which also covers what others wrote before. A replica is asked
by `WAIT` for what is in its memory: that is what a failover needs, and by `WAITAOF` it would tell
of its disk only once a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from winepress_shared.errors import BrokerUnreachable

#: Longest waits for the disk and for a replica; together shorter than the client's for an answer.
CONFIRM_MS, REPLICA_MS = 5_000, 2_000
_UNKNOWN = "unknown command"  #: error of a server without `WAITAOF`
_NO_FILE = "appendonly is disabled"  #: error of one without an append-only file
OR_SECOND = "or set durability = second: a power cut may then take what the last seconds brought"


class _Pipe(Protocol):
    """Commands that are sent together."""

    def execute_command(self, *words: str | int) -> Any: ...


def ask_for_confirmation(pipe: _Pipe, prefix: str, replicas: int) -> None:
    """Add to ``pipe`` a write, and the questions whose answers `check_confirmed` reads."""
    pipe.execute_command("SET", f"{prefix}synced", 1)
    pipe.execute_command("WAITAOF", 1, 0, CONFIRM_MS)
    if replicas:
        pipe.execute_command("WAIT", replicas, REPLICA_MS)


def check_confirmed(answers: Sequence[object], address: str, replicas: int) -> None:
    """Raise BrokerUnreachable unless disk and replicas have everything, by their answers."""
    _check_disk(answers[0], address)
    known = answers[1] if replicas else 0
    if isinstance(known, Exception):
        raise known
    if not isinstance(known, int) or known < replicas:
        raise BrokerUnreachable(
            f"no replica of the broker said within {REPLICA_MS / 1000:.0f} s that it has this",
            value=address,
            hint="Is one connected? Or set durability = disk: a failover may then take what its "
            "last moment brought",
        )


def _check_disk(answer: object, address: str) -> None:
    text = str(answer)
    if isinstance(answer, Exception) and _UNKNOWN in text:
        raise BrokerUnreachable(
            "the broker cannot say what its disk has, as the setting durability requires",
            value=address,
            hint=f"Use Valkey, or Redis 7.2 or newer, {OR_SECOND}",
        )
    if isinstance(answer, Exception) and _NO_FILE in text:
        raise BrokerUnreachable(
            "the broker keeps no append-only file, as the setting durability requires",
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
