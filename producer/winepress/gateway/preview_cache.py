"""Previews of pictures in progress, fetched once for everybody who watches."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from winepress.aio.handle import AsyncJobHandle
from winepress_shared.ledger.events import Event

_MOST_KEPT = 256  #: previews of at most 16 KiB


class PreviewCache:
    """The newest previews; watchers of the same picture share one request to the broker."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], asyncio.Future[bytes | None]] = OrderedDict()

    async def get(self, handle: AsyncJobHandle, event: Event) -> bytes | None:
        """The JPEG that an event ``preview`` announces, or a newer one; None if it is gone."""
        key = (handle.id, event.id)
        found = self._kept.get(key)
        if found is None or (found.done() and (found.cancelled() or found.exception())):
            found = self._kept[key] = asyncio.ensure_future(_fetch(handle, event))
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return await asyncio.shield(found)


async def _fetch(handle: AsyncJobHandle, event: Event) -> bytes | None:
    preview = await handle.preview(int(event.fields.get("unit", 0)))
    return None if preview is None else preview.jpeg
