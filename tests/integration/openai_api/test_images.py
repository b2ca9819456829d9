"""The unmodified client of OpenAI for Python, pointed at the gateway."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from PIL import Image
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway


@pytest.fixture
def at_work(manual_worker: ManualWorker) -> Iterator[ManualWorker]:
    """A worker that draws whatever comes."""
    with manual_worker.working(LANE):
        yield manual_worker


def png(size: tuple[int, int] = (64, 64), alpha: bool = False) -> bytes:
    """A small picture; with ``alpha`` its left half is transparent."""
    image = Image.new("RGBA" if alpha else "RGB", size, "red")
    if alpha:
        image.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def shown(b64_json: str | None) -> Image.Image:
    """The picture of an answer."""
    assert b64_json
    return Image.open(io.BytesIO(base64.b64decode(b64_json)))


def test_generate_answers_with_links_on_the_gateways_own_origin(
    gateway: RunningGateway, client: OpenAI, at_work: ManualWorker
) -> None:
    """Fields that OpenAI lacks go beside the others, and a usual size becomes the model's own."""
    found = client.images.generate(
        model="dall-e-3",
        prompt="a red apple",
        n=2,
        size="1024x1024",
        quality="hd",
        user="alice",
        extra_body={"negative_prompt": "a pear", "num_inference_steps": 4, "seed": 7},
    )
    assert found.created > 1_700_000_000
    assert found.output_format == "png"
    assert found.data
    assert [one.b64_json for one in found.data] == [None, None]
    for one in found.data:
        assert one.url
        assert one.url.startswith(gateway.url)
        assert gateway.http.get(one.url).content.startswith(b"\x89PNG")
    extra = found.model_extra
    assert extra
    assert "size is 256x256: vignette does not take 1024x1024" in extra["warnings"]
    (job,) = gateway.http.get("/v1/jobs").json()["jobs"]
    assert (job["id"], job["user"].partition("@")[2]) == (extra["job"], "alice")


@pytest.mark.parametrize(
    ("fields", "is_bytes"),
    [
        ({"model": "gpt-image-1"}, True),
        ({"model": "gpt-image-2.6-flare"}, True),
        ({"model": "dall-e-2"}, False),
        ({"model": "vignette"}, False),
        ({"model": "vignette", "response_format": "b64_json"}, True),
        ({"model": "gpt-image-1", "response_format": "url"}, False),
    ],
)
def test_an_answer_holds_what_clients_of_that_model_read(
    client: OpenAI, at_work: ManualWorker, fields: dict[str, str], is_bytes: bool
) -> None:
    """The picture itself for gpt-image, a link for any other model, unless the client says."""
    found = client.images.generate(prompt="a red apple", **fields)  # type: ignore[call-overload]
    (one,) = found.data
    assert (one.url is None) == is_bytes
    if is_bytes:
        assert shown(one.b64_json).format == "PNG"


@pytest.mark.parametrize("has_mask", [False, True])
def test_edits_take_pictures_and_masks_as_forms(
    client: OpenAI, at_work: ManualWorker, gateway: RunningGateway, has_mask: bool
) -> None:
    """A mask is drawn anew where it is transparent; the size is that of the picture."""
    mask = ("mask.png", png(alpha=True)) if has_mask else openai.omit
    found = client.images.edit(
        model="gpt-image-1",
        image=[("a.png", png())],
        prompt="a green apple",
        size="1024x1024",
        n=2,
        extra_body={"seed": 3},
        mask=mask,
    )
    assert found.data
    assert [shown(one.b64_json).size for one in found.data] == [(64, 64)] * 2
    (job,) = gateway.http.get("/v1/jobs").json()["jobs"]
    assert job["kind"] == ("inpaint" if has_mask else "image-to-image")


def test_edits_take_json_with_embedded_and_uploaded_pictures(
    client: OpenAI, at_work: ManualWorker, gateway: RunningGateway
) -> None:
    """As ``images`` with ``image_url`` or ``file_id``, as a data: URL, and as base64."""
    data_url = "data:image/png;base64," + base64.b64encode(png()).decode()
    file = client.files.create(file=("a.png", png()), purpose="vision")
    forms: list[dict[str, object]] = [
        {"images": [{"image_url": data_url}]},
        {"images": [{"file_id": file.id}]},
        {"image": data_url},
        {"image": file.id},
    ]
    for form in forms:
        answer = gateway.http.post("/v1/images/edits", json={"prompt": "an apple", **form})
        assert answer.status_code == 200, answer.text
    assert len({job["kind"] for job in gateway.http.get("/v1/jobs").json()["jobs"]}) == 1


def test_errors_are_the_exceptions_of_the_client(client: OpenAI, gateway: RunningGateway) -> None:
    """With its message, its field and a code; and 503 while no worker can draw it."""
    with pytest.raises(openai.NotFoundError) as unknown:
        client.images.generate(model="no-such-model", prompt="a")
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as empty:
        client.images.generate(model="vignette", prompt="")
    assert (empty.value.type, empty.value.param) == ("invalid_request_error", "prompt")
    with pytest.raises(openai.BadRequestError, match="1 to 10"):
        client.images.generate(model="vignette", prompt="a", n=11)
    with pytest.raises(openai.BadRequestError, match="multiples of 64"):
        client.images.generate(model="vignette", prompt="a", size="100x100")
    with pytest.raises(openai.InternalServerError) as idle:
        client.images.generate(model="vignette", prompt="a")
    assert (idle.value.status_code, idle.value.code) == (503, "no-worker")
    assert int(idle.value.response.headers["retry-after"]) > 0
    with pytest.raises(openai.NotFoundError, match="no such route"):
        client.embeddings.create(model="a", input="b", encoding_format="float")
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def test_a_wait_longer_than_the_clients_patience_names_the_job(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """The job goes on, and the error says where its pictures will be."""
    manual_worker.live(LANE)
    with (
        OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=1) as hasty,
        pytest.raises(openai.InternalServerError) as late,
    ):
        hasty.images.generate(model="vignette", prompt="a red apple")
    (job,) = gateway.http.get("/v1/jobs").json()["jobs"]
    assert late.value.code == "job-not-finished"
    assert f"{gateway.url}/v1/jobs/{job['id']}/results" in late.value.message
    assert job["state"] == "queued"


def test_a_failed_job_is_not_asked_for_again(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """The client gets the reason at once, although it repeats other errors of this status."""
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=2)
    with (
        client,
        manual_worker.working(LANE, failing=(0,)),
        pytest.raises(openai.InternalServerError) as failed,
    ):
        client.images.generate(model="vignette", prompt="a red apple")
    assert failed.value.code == "job-failed"
    assert len(gateway.http.get("/v1/jobs").json()["jobs"]) == 1


def test_models_are_listed_with_the_names_that_clients_have_built_in(
    client: OpenAI, manual_worker: ManualWorker
) -> None:
    """Our facts stand beside OpenAI's members; a name of theirs tells which model it means."""
    manual_worker.live(LANE)
    found = {model.id: model for model in client.models.list()}
    assert {"vignette", "tiny-sd", "gpt-image-2", "gpt-image-1", "dall-e-3"} <= set(found)
    own = found["vignette"].model_extra
    assert own
    assert (own["workers"]["fp16"], own["workers"]["int8"], own["width"]) == (1, 0, 256)
    alias = client.models.retrieve("gpt-image-9")
    assert alias.model_extra
    assert alias.model_extra["root"] == "vignette"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("gpt-4o")
    assert unknown.value.code == "model_not_found"
