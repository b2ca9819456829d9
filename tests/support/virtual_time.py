"""A farm whose clock a test sets itself: hours of farm life in seconds."""

from __future__ import annotations

from typing import Any

from support.audited_farm import AuditedFarm
from winepress_shared.ledger.lanes import LaneIndex
from winepress_shared.ledger.script_server import ScriptServer, script_texts

_REAL = "local time = redis.call('TIME')\n"
_VIRTUAL = """
local clock = tonumber(redis.call('GET', KEYS[1] .. 'clock'))
local time = {math.floor(clock / 1000), clock % 1000 * 1000}
"""


class VirtualTime:
    """The time that the scripts of one farm read; keys with a time to live keep the real one."""

    def __init__(self, farm: AuditedFarm, *books: LaneIndex) -> None:
        self._farm = farm
        self.advances = 0  #: commands that set the clock
        self.now_s = float(farm.redis.time()[0])
        self.advance_to(self.now_s)
        for server in (farm.ledger._server, *(book._server for book in books)):
            self._rule(server)

    def _rule(self, server: ScriptServer) -> None:
        for name, text in script_texts().items():
            script: Any = server.client.register_script(_with_clock(text))
            server._mine.get().scripts[name] = script

    def advance_to(self, at_s: float) -> None:
        """Set the clock, in Unix seconds."""
        self.now_s = at_s
        self.advances += 1
        self._farm.redis.set(self._farm.key("clock"), int(at_s * 1000))


def _with_clock(text: str) -> str:
    assert _REAL in text, "the prelude reads the time in another way"
    return text.replace(_REAL, _VIRTUAL)
