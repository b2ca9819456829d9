"""Replicate's client, unmodified, on a farm; and what its answers must be for it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from replicate.client import Client as Replicate
from replicate.exceptions import ModelError, ReplicateError
from replicate.webhook import Webhooks
from support.manual_worker import LANE, ManualWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway
from support.webhook_receiver import WebhookReceiver

from winepress import Client as WinepressClient
from winepress.gateway.webhooks.deliverer import Deliverer
from winepress_shared.settings import Settings

_LANES = (LANE, "vignette.int8")
_MODEL = "winepress/vignette"


@pytest.fixture
def farm_settings(farm_settings: Settings) -> Settings:
    """The same, with receivers of webhooks on this machine."""
    return farm_settings.model_copy(update={"webhook_allow": ("127.0.0.1",)})


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[Replicate]:
    """The client, as its users make it."""
    found = Replicate(api_token="none", base_url=gateway.url)
    found.poll_interval = 0.1
    yield found
    found._client.close()


def test_run_answers_with_the_pictures(
    client: Replicate, gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """By the name of a model, and of a version; the addresses are the gateway's own."""
    with manual_worker.working(*_LANES):
        asked = {"prompt": "a red apple", "num_outputs": 2, "go_fast": True}
        urls: Any = client.run(_MODEL, input=asked)
        assert len(urls) == 2
        picture = client._client.get(urls[0]).content
        assert Image.open(io.BytesIO(picture)).size == (64, 64)
        version = client.models.get("winepress/vignette.int8").latest_version
        assert version is not None
        pears: Any = client.run(f"{_MODEL}:{version.id}", input={"prompt": "a pear"})
        assert len(pears) == 1
    assert urls[0].startswith(gateway.url)
    lanes = [job["lane"] for job in gateway.http.get("/v1/jobs").json()["jobs"]]
    assert lanes == ["vignette.int8", LANE]


def test_a_prediction_is_watched_until_it_ends(
    client: Replicate, manual_worker: ManualWorker
) -> None:
    """Its status in the words that the client knows, its progress in the logs."""
    prediction = client.predictions.create(model=_MODEL, input={"prompt": "a pear", "seed": 7})
    assert (prediction.status, prediction.output) == ("starting", None)
    manual_worker.await_ticket(LANE)
    part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    assert part is not None
    assert part.watched
    manual_worker.ledger.start(part.fence, 0)
    manual_worker.ledger.progress(part.fence, 0, 9, 20)
    prediction.reload()
    assert str(prediction.status) == "processing"
    assert prediction.progress is not None
    assert (prediction.progress.current, prediction.progress.total) == (9, 20)
    assert (prediction.input or {})["seed"] == 7
    prediction.cancel()
    assert str(prediction.status) == "canceled"
    assert client.predictions.cancel(prediction.id).status == "canceled"


def test_a_jpeg_goes_by_replicates_name_for_it(gateway: RunningGateway) -> None:
    """Its models and the AI SDK write jpg where a job has jpeg."""
    asked = {"prompt": "a pear", "output_format": "jpg", "output_quality": 80}
    body = {"version": _MODEL, "input": asked}
    found = gateway.http.post("/v1/predictions", json=body).json()["input"]
    assert (found["output_format"], found["output_quality"]) == ("jpeg", 80)


def test_a_wait_that_runs_out_is_still_starting(gateway: RunningGateway) -> None:
    """Any other word would be the end for the client, even while a picture is drawn."""
    body = {"version": _MODEL, "input": {"prompt": "a pear"}}
    worker = ManualWorker(gateway.settings)
    worker.live(*_LANES)
    answer = gateway.http.post("/v1/predictions", json=body, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (201, "starting")
    assert worker.ledger.claim(LANE, "manual", worker.holder, 1)
    one = gateway.http.get(answer.headers["Location"]).json()
    assert one["status"] == "processing"


def test_a_job_that_fails_is_a_model_error(client: Replicate, manual_worker: ManualWorker) -> None:
    """And one whose deadline has passed has failed, too: the client knows no such word."""
    prediction = client.predictions.create(model=_MODEL, input={"prompt": "a pear"})
    manual_worker.work(LANE, failing=[0])
    prediction.reload()
    assert (prediction.status, "told to fail" in (prediction.error or "")) == ("failed", True)
    with pytest.raises(ModelError):
        list(prediction.output_iterator())


def test_a_deadline_that_has_passed_is_a_failure(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """The client knows no other word for it, and would wait for ever."""
    body = {"version": "vignette", "input": {"prompt": "a pear"}}
    headers = {"Cancel-After": "1s"}
    url = gateway.http.post("/v1/predictions", json=body, headers=headers).headers["Location"]
    manual_worker.live(*_LANES)

    def has_failed() -> bool:
        manual_worker.ledger.sweep()
        return bool(gateway.http.get(url).json()["status"] == "failed")

    wait_until(has_failed)


def test_put_makes_one_job_however_often_it_comes(gateway: RunningGateway) -> None:
    """As Cog's clients repeat it."""
    body = {"version": "vignette", "input": {"prompt": "a pear"}}
    first, again = (gateway.http.put("/v1/predictions/mine", json=body) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    other = body | {"input": {"prompt": "a plum"}}
    refused = gateway.http.put("/v1/predictions/mine", json=other)
    assert (refused.status_code, refused.json()["field"]) == (409, "prediction_id")


def test_a_file_is_uploaded_and_named_by_its_address(
    client: Replicate, gateway: RunningGateway
) -> None:
    """As the client does with every open file; no other address is opened."""
    Image.new("RGB", (64, 64), "teal").save(buffer := io.BytesIO(), "PNG")
    buffer.seek(0)
    asked = {"prompt": "a pear", "image": buffer, "prompt_strength": 0.5}
    version = client.models.get(_MODEL).latest_version
    assert version is not None
    prediction = client.predictions.create(version=version, input=asked)
    assert (prediction.input or {})["image"].startswith("sha256:")
    assert (prediction.input or {})["strength"] == 0.5


def test_a_webhook_is_told_the_prediction(
    client: Replicate, gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """In the form in which the client reads one, signed with the secret that it asks for."""
    with WebhookReceiver() as receiver, WinepressClient(gateway.settings) as farm:
        prediction = client.predictions.create(
            model=_MODEL,
            input={"prompt": "a pear"},
            webhook=receiver.url,
            webhook_events_filter=["completed"],
        )
        manual_worker.work(LANE)
        deliverer = Deliverer(farm, 1)
        wait_until(lambda: deliverer.deliver_next() or bool(receiver.messages))
    (message,) = receiver.messages
    assert (message.content["id"], message.content["status"]) == (prediction.id, "succeeded")
    assert message.content["output"][0].startswith(gateway.url)
    secret = client.webhooks.default.secret()
    Webhooks.validate(headers=dict(message.headers), body=message.body.decode(), secret=secret)


def test_predictions_are_listed_page_by_page(client: Replicate) -> None:
    """The client follows the address of the next page."""
    for prompt in "abc":
        client.predictions.create(model=_MODEL, input={"prompt": prompt})
    page = client.predictions.list()
    assert len(page.results) == 3
    assert page.next is None


def test_models_have_a_version_for_each_precision(client: Replicate) -> None:
    """Found by the name of the model."""
    model = client.models.get(_MODEL)
    assert len(model.versions.list().results) == 4
    version = model.latest_version
    assert version is not None
    assert model.versions.get(version.id).openapi_schema["components"]
    assert model.versions.get("int8").id != version.id
    with pytest.raises(ReplicateError, match=r"no such version.*allowed: .*int8"):
        model.versions.get("int3")


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"input": {"prompt": "a"}}, 422, "version"),
        ({"version": "owner/other", "input": {}}, 404, "owner/other"),
        ({"version": "vignette", "input": []}, 422, "input"),
        ({"version": "vignette", "input": {}}, 422, "prompt"),
        ({"version": "vignette", "input": {"promt": "a"}}, 422, "Did you mean 'prompt'?"),
        ({"version": "winepress/vignette:int3", "input": {}}, 404, "got 'int3'); allowed: fp16, "),
        (
            {"version": "vignette", "input": {"prompt": "a", "image": "http://a/b.png"}},
            422,
            "image",
        ),
        (
            {"version": "vignette", "input": {"prompt": "a"}, "webhook": "ftp://a"},
            422,
            "webhook",
        ),
    ],
)
def test_what_cannot_be_predicted_is_refused_by_name(
    gateway: RunningGateway, body: object, status: int, named: str
) -> None:
    """As problem+json, which is the form of Replicate's own errors."""
    answer = gateway.http.post("/v1/predictions", json=body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert named in answer.json()["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_client_shows_what_is_wrong(client: Replicate) -> None:
    """Its error has the sentence."""
    with pytest.raises(ReplicateError, match="no such model"):
        client.run("winepress/nothing", input={"prompt": "a"})
