"""Previews: one a unit, bounded, told to whoever watches, gone by themselves."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client
from winepress_shared.ledger.previews import KEPT_MS, MAX_PREVIEW_BYTES, Preview, PreviewStore
from winepress_worker.renderer.messenger import Messenger
from winepress_worker.renderer.preview_publisher import PreviewPublisher, encode_preview


def test_a_preview_is_seen_by_the_client_until_the_next_takes_its_place(
    client: Client, manual_worker: ManualWorker
) -> None:
    """From the engine's picture to the handle, with an event that says when to look."""
    manual_worker.live(LANE)
    handle = client.submit(apple(n=2, preview_every=1))
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    assert slice_ is not None
    manual_worker.ledger.start(slice_.fence, slice_.units[0])
    messenger = Messenger()
    messenger.start()
    show = PreviewPublisher(PreviewStore(client.settings), messenger).of(slice_, slice_.units[0])
    for step, colour in ((1, "red"), (2, "blue")):
        show(step, 4, [Image.new("RGB", (256, 256), colour)])
        messenger.settle()
    preview = handle.preview(slice_.units[0])
    assert preview is not None
    assert (preview.step, preview.steps) == (2, 4)
    red, _, blue = Image.open(io.BytesIO(preview.jpeg)).getpixel((9, 9))  # type: ignore[misc]
    assert blue > 200 > red
    assert handle.preview(1) is None
    told = [event for event in client.ledger.events(handle.id) if event.name == "preview"]
    assert [event.fields["step"] for event in told] == ["1", "2"]
    left_ms = client.previews._server.client.pttl(
        f"{client.settings.farm}:preview:{handle.id}:{slice_.units[0]}"
    )
    assert 0 < left_ms <= KEPT_MS
    handle.cancel()
    show(3, 4, [Image.new("RGB", (256, 256), "green")])
    messenger.settle()
    newest = handle.preview(slice_.units[0])
    assert newest is not None
    assert newest.step == 2, "a slice that was taken away shows nothing more"


def test_no_preview_is_larger_than_its_bound(client: Client) -> None:
    """Noise compresses worst; what is too large for any quality is not shown at all."""
    noise = Image.effect_noise((256, 256), 100).convert("RGB")
    jpeg = encode_preview(noise)
    assert jpeg is not None
    assert len(jpeg) <= MAX_PREVIEW_BYTES
    assert encode_preview(Image.effect_noise((4096, 4096), 100).convert("RGB")) is None
    with pytest.raises(ValueError, match="bytes"):
        PreviewStore(client.settings).put(1, Preview(0, 1, 2, b"x" * (MAX_PREVIEW_BYTES + 1)))
