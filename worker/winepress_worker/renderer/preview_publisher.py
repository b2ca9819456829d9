"""Publishes previews of pictures in progress, without delaying them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress

from PIL import Image

from winepress_shared.errors import QueueFull
from winepress_shared.ledger.previews import MAX_PREVIEW_BYTES, Preview, PreviewStore
from winepress_shared.ledger.records import Slice
from winepress_worker.engines.base import OnPreview
from winepress_worker.renderer.messenger import Messenger

_QUALITIES = (75, 50, 25, 10)  #: of JPEG, tried in turn until it is small enough


class PreviewPublisher:
    """Stores as many of the previews that an engine draws as the link to the broker carries."""

    def __init__(self, store: PreviewStore, messenger: Messenger) -> None:
        self._store = store
        self._messenger = messenger

    def of(self, slice_: Slice, unit: int) -> OnPreview:
        """What the engine calls with the pictures of the call in which ``unit`` is drawn."""

        def show(done: int, steps: int, pictures: Sequence[Image.Image]) -> None:
            jpeg = encode_preview(pictures[-1])
            if jpeg is None:
                return
            preview = Preview(unit, done, steps, jpeg)
            self._messenger.send("preview", lambda: self._put(slice_, preview))

        return show

    def _put(self, slice_: Slice, preview: Preview) -> None:
        with suppress(QueueFull):  # a broker whose memory is full has better use for what is left
            self._store.put(slice_.fence, preview)


def encode_preview(picture: Image.Image) -> bytes | None:
    """A JPEG of `MAX_PREVIEW_BYTES` at the most; None when it cannot be made that small."""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_PREVIEW_BYTES:
            return buffer.getvalue()
    return None
