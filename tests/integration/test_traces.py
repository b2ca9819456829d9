"""Traces of jobs, as a collector gets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.local_worker import LocalWorker
from support.span_collector import SpanCollector

from winepress import Client, TextToImage
from winepress_shared.settings import Settings

LANE = "vignette.fp16"
PROMPT = "a most secret apple"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpanCollector]:
    """Gets what this process and its children send."""
    with SpanCollector() as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        yield one


@pytest.fixture
def farm_settings(farm_settings: Settings) -> Settings:
    """The same, with traces."""
    return farm_settings.model_copy(update={"traces": "otlp"})


def apple(**fields: object) -> TextToImage:
    """A small picture."""
    values = {"width": 64, "height": 64, "num_inference_steps": 2, "seed": 5}
    return TextToImage(prompt=PROMPT, **(values | fields))


def test_one_trace_leads_from_the_submission_to_the_store(
    client: Client, farm_settings: Settings, collector: SpanCollector
) -> None:
    """Through two processes that know of each other only by the job."""
    worker = LocalWorker(farm_settings)
    job = client.submit(apple())
    worker.renderer.run(LANE)
    worker.renderer.close()
    client.close()
    names = ("send", "wait", "process", "receive", "load", "render", "generate_content")
    spans = {name: collector.one(name) for name in (*names, "encode", "store")}
    assert {one.trace for one in spans.values()} == {spans["send"].trace}
    assert job.id
