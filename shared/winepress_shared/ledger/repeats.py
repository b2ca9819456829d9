"""The requests that clients may have to repeat, so that a repetition finds the job of the first.

A client of OpenAI repeats a request whose answer it lost, and tells only how often it has done so.
So every request is noted under its content and that number; a repetition takes over the newest note
of the same content with a lower number.
"""

from __future__ import annotations

import re
import secrets
import time

from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings

KEPT_S = 900  #: a client gives up a request after ten minutes, and repeats it seconds later
KEY_KEPT_S = 86_400
MAX_REPETITIONS = 20  #: looked at
_MOST_NOTES = 64  #: of requests with the same content that are under way at the same time
_NOTE = re.compile(r"[0-9a-f]{28}")


class RepeatedRequests:
    """Notes requests in Redis for all gateways; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:repeat:"
        self._server = server or ScriptServer(settings, f"{settings.farm}:")

    def note_of(self, user: str, digest: str, repetition: int) -> str:
        """A note for one request, which its repetitions share: 28 hexadecimal digits.

        The first ones are the time, so that notes are in order. ``digest`` is that of the request's
        content, ``repetition`` is 0 for a request that is sent for the first time.
        """
        lists = [
            f"{self._prefix}{user}:{digest}:{number}"
            for number in range(min(repetition, MAX_REPETITIONS) + 1)
        ]
        with self._server.reaching():
            for earlier in reversed(lists[:-1]):
                found = self._server.client.lmove(earlier, lists[-1], "RIGHT", "RIGHT")
                if isinstance(found, str) and _NOTE.fullmatch(found):
                    self._server.client.expire(lists[-1], KEPT_S)
                    return found
            note = new_note()
            pipe = self._server.client.pipeline(transaction=False)
            pipe.rpush(lists[-1], note)
            pipe.ltrim(lists[-1], -_MOST_NOTES, -1)
            pipe.expire(lists[-1], KEPT_S)
            pipe.execute()
        return note

    def note_of_key(self, user: str, digest: str) -> str:
        """The same for all requests with the idempotency key of this digest, within a day."""
        name, note = f"{self._prefix}{user}:{digest}", new_note()
        with self._server.reaching():
            found = self._server.client.set(name, note, nx=True, get=True, ex=KEY_KEPT_S)
        return found if isinstance(found, str) and _NOTE.fullmatch(found) else note

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def new_note() -> str:
    """A note for a request that nobody repeats."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
