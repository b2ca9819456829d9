"""Shows what is being drawn to whoever watches; never delays or harms the drawing for long."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence

from PIL import Image

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger_records import Slice
from winepress_shared.preview_box import MAX_PREVIEW_BYTES, Preview, PreviewBox
from winepress_worker.engines.base import OnPreview

log = logging.getLogger(__name__)

_QUALITIES = (75, 50, 25, 10)  #: of JPEG, tried in turn until it is small enough


class PreviewDesk:
    """Puts previews into the box, one for each of them that the engine draws."""

    def __init__(self, box: PreviewBox) -> None:
        self._box = box

    def of(self, part: Slice, unit: int) -> OnPreview:
        """What the engine calls with the pictures of the call in which ``unit`` is drawn."""

        def show(done: int, steps: int, pictures: Sequence[Image.Image]) -> None:
            jpeg = encode_preview(pictures[-1])
            if jpeg is None:
                return
            try:
                self._box.put(part.fence, Preview(unit, done, steps, jpeg))
            except BrokerUnreachable:
                log.warning("the broker is away; a preview is lost")

        return show


def encode_preview(picture: Image.Image) -> bytes | None:
    """A JPEG of `MAX_PREVIEW_BYTES` at the most; None when it cannot be made that small."""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_PREVIEW_BYTES:
            return buffer.getvalue()
    return None
