"""What of a farm's jobs the disk of the broker has, so that a power cut cannot take it.

A server that syncs its append-only file every second confirms after its next sync, and Valkey and
some versions of Redis before it: theirs counts only where every write is synced.
"""

from __future__ import annotations

import re

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.confirmation import OR_SECOND
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings

_ALWAYS = "always"
_NUMBERS = re.compile(r"[0-9]+")
#: The versions of Redis that confirm early: from the first to before the second.
_EARLY = ((7, 2, 2), (7, 4, 3))


class BrokerDisk:
    """Asks the broker of a farm what its disk has; raises BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer) -> None:
        self._is_asked = settings.waits_for_disk
        self._durability = settings.durability
        self._whose = (
            "its disk and a replica have" if settings.waits_for_replica else "its disk has"
        )
        self._server = server

    def confirm(self) -> None:
        """Return once the disk has what was written until now, if the farm asks for that."""
        if self._is_asked:
            self._server.run_together(on_disk=True)

    def examine(self) -> str:
        """What a power cut takes, as words; raises if it takes more than the farm asks for."""
        if not self._is_asked:
            return "a power cut of its machine may take its last seconds (durability = second)"
        self.confirm()
        name, version = self._server.name()
        policy = self._server.configured("appendfsync")
        if policy not in (None, _ALWAYS) and answers_early(name, version):
            raise BrokerUnreachable(
                f"the broker, {name} {version}, says too early that its disk has something, unless "
                "it syncs every write",
                value=f"appendfsync {policy}",
                allowed=f"appendfsync {_ALWAYS}",
                hint=f"Change its configuration, {OR_SECOND}",
            )
        unseen = "" if policy else "; its `appendfsync` may not be seen with this key"
        return f"{self._whose} what was accepted (durability = {self._durability}{unseen})"


def complaint_of(settings: Settings) -> str | None:
    """What a program says at its start if the broker does not keep what it accepts as is asked."""
    server = ScriptServer(settings, f"{settings.farm}:")
    try:
        BrokerDisk(settings, server).examine()
    except BrokerUnreachable as error:
        return str(error)
    finally:
        server.close()
    return None


def answers_early(name: str, version: str) -> bool:
    """Whether such a server, at ``appendfsync everysec``, confirms what it has not synced yet."""
    numbers = tuple(map(int, _NUMBERS.findall(version)))
    if name != "redis":
        return True  # of Valkey every version until now; of others nothing is known
    first, fixed = _EARLY
    return first <= numbers < fixed
