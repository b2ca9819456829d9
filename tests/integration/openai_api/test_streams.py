"""Pictures in progress, as OpenAI's client receives them."""

from __future__ import annotations

import base64
import threading

import openai
import pytest
from openai import OpenAI
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway

from winepress_shared.ledger.previews import Preview, PreviewStore
from winepress_shared.settings import Settings

JPEG = b"\xff\xd8 a small picture"


def draw(settings: Settings, worker: ManualWorker, was_seen: threading.Event) -> None:
    """Show one preview, and finish the picture once it was seen."""
    worker.await_ticket(LANE)
    part = worker.ledger.claim(LANE, "manual", worker.holder, 1)
    assert part
    worker.ledger.start(part.fence, 0)
    previews = PreviewStore(settings)
    previews.put(part.fence, Preview(0, 1, 4, JPEG))
    assert was_seen.wait(60)
    previews.close()
    worker.ledger.release(part.fence, worker.holder)
    worker.work(LANE)


def test_a_stream_has_previews_and_ends_with_the_picture(
    gateway: RunningGateway, client: OpenAI, manual_worker: ManualWorker
) -> None:
    """Each event holds what its type promises; the last one is the picture itself."""
    manual_worker.live(LANE)
    was_seen = threading.Event()
    worker = threading.Thread(target=draw, args=(gateway.settings, manual_worker, was_seen))
    worker.start()
    found = []
    for event in client.images.generate(
        model="gpt-image-1", prompt="a red apple", stream=True, partial_images=2
    ):
        found.append(event)
        was_seen.set()
    worker.join()
    partial, completed = found
    assert partial.type == "image_generation.partial_image"
    assert (base64.b64decode(partial.b64_json), partial.partial_image_index) == (JPEG, 0)
    assert completed.type == "image_generation.completed"
    assert base64.b64decode(completed.b64_json).startswith(b"\x89PNG")
    assert (completed.output_format, completed.usage.total_tokens) == ("png", 0)
    assert completed.created_at > 1_700_000_000


def test_a_stream_tells_of_a_failure(
    gateway: RunningGateway, client: OpenAI, manual_worker: ManualWorker
) -> None:
    """As the error that the client raises."""
    with (
        manual_worker.working(LANE, failing=(0,)),
        pytest.raises(openai.APIError, match="failed"),
    ):
        list(client.images.generate(model="vignette", prompt="a red apple", stream=True))


def test_a_client_that_goes_away_does_not_stop_its_job(
    gateway: RunningGateway, client: OpenAI, manual_worker: ManualWorker
) -> None:
    """It is drawn although nobody listens."""
    manual_worker.live(LANE)
    client.images.generate(model="vignette", prompt="a red apple", stream=True).close()
    manual_worker.work(LANE)
    (job,) = gateway.http.get("/v1/jobs").json()["jobs"]
    assert job["state"] == "succeeded"
