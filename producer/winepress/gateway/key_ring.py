"""The keys that this process has lately seen, so that few requests have to wait for the store."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from winepress.aio.client import AsyncClient
from winepress.gateway.access import Caller
from winepress.gateway.api_key import ApiKey, Token, not_valid
from winepress.gateway.key_meter import too_many
from winepress.gateway.key_store import KeyStore

#: A key that was read this long ago is read again. With the time to read it, a revoked key is
#: refused within 10 s.
_KEPT_S = 5.0
_STRANGERS = 2  #: keys looked up at a time that may not exist: guesses leave threads for the others


@dataclass(frozen=True)
class _Held:
    key: ApiKey
    read_at: float  #: by the monotonic clock


class KeyRing:
    """Finds the caller that shows a key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._held: dict[str, _Held] = {}  #: only keys that exist, so guesses need no memory
        self._reading: dict[str, asyncio.Task[ApiKey | None]] = {}
        self._strangers = asyncio.Semaphore(_STRANGERS)

    async def caller(self, token: Token) -> Caller:
        """The caller that shows a token, with this request counted.

        Raises Unauthorized, TooManyRequests, FarmUnreachable.
        """
        key = await self._key(token.id)
        if key is None:
            raise not_valid()
        key.check(token)
        if key.rate is not None:
            quotas = self._client.client.key_quotas
            wait_s = await self._client.in_thread(quotas.count_request, key.id, key.rate)
            if wait_s:
                raise too_many(
                    "this key has made too many requests", f"{key.rate} a minute", wait_s
                )
        return key.caller

    async def _key(self, key_id: str) -> ApiKey | None:
        held = self._held.get(key_id)
        if held is not None and time.monotonic() - held.read_at < _KEPT_S:
            return held.key
        reading = self._reading.get(key_id)
        if reading is None:
            reading = self._reading[key_id] = asyncio.create_task(self._read(key_id))
            reading.add_done_callback(lambda _: self._reading.pop(key_id, None))
        return await asyncio.shield(reading)

    async def _read(self, key_id: str) -> ApiKey | None:
        if key_id not in self._held:
            async with self._strangers:
                return await self._look_up(key_id)
        return await self._look_up(key_id)

    async def _look_up(self, key_id: str) -> ApiKey | None:
        began = time.monotonic()
        client = self._client
        key = await client.in_thread(lambda: KeyStore(client.client.archive.store).find(key_id))
        if key is None:
            self._held.pop(key_id, None)
        else:
            self._held[key_id] = _Held(key, began)
        return key
