"""Files and batches, as OpenAI's client uploads, submits and fetches them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image
from support.manual_worker import LANE, ManualWorker, forget_farm
from support.running_gateway import RunningGateway

from winepress import Client
from winepress.gateway.access import Scope
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[OpenAI]:
    """The client, as a user makes it."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def png() -> bytes:
    """A small picture."""
    Image.new("RGB", (64, 64), "red").save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def line(number: int, url: str = "/v1/images/generations", **body: Any) -> dict[str, Any]:
    """One request of a batch."""
    body = {"model": "dall-e-3", "prompt": f"apple {number}", "num_inference_steps": 2} | body
    return {"custom_id": f"apple-{number}", "method": "POST", "url": url, "body": body}


def upload(client: OpenAI, *lines: dict[str, Any]) -> str:
    """The id of a new file with these lines."""
    text = "".join(json.dumps(one) + "\n" for one in lines)
    return client.files.create(file=("batch.jsonl", text.encode()), purpose="batch").id


def submit(client: OpenAI, *lines: dict[str, Any]) -> Any:
    """A new batch of these lines."""
    return client.batches.create(
        input_file_id=upload(client, *lines),
        endpoint="/v1/images/generations",
        completion_window="24h",
        metadata={"purpose": "fruit"},
    )


def lines_of(client: OpenAI, file_id: str | None) -> dict[str, Any]:
    """Every line of a file of results, by its custom_id."""
    assert file_id
    found = map(json.loads, client.files.content(file_id).text.splitlines())
    return {one["custom_id"]: one for one in found}


def test_a_file_is_kept_listed_and_deleted(client: OpenAI) -> None:
    """Page by page, newest first, and its content comes back as it was."""
    files = [
        client.files.create(
            file=(f"../{number}.jsonl", b"x" * number),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        for number in range(1, 4)
    ]
    assert [(one.filename, one.bytes, one.status) for one in files] == [
        (f"{number}.jsonl", number, "processed") for number in range(1, 4)
    ]
    assert files[0].expires_at == files[0].created_at + 3600
    assert [one.id for one in client.files.list(limit=2)] == [one.id for one in files[::-1]]
    assert client.files.content(files[2].id).read() == b"xxx"
    assert client.files.delete(files[1].id).deleted
    with pytest.raises(openai.NotFoundError, match="no such file"):
        client.files.retrieve(files[1].id)
    assert len(list(client.files.list())) == 2


def test_a_file_of_replicate_has_its_shape_and_serves_as_input(gateway: RunningGateway) -> None:
    """The address in ``urls`` opens it; nobody's browser shows it as a page."""
    answer = gateway.http.post(
        "/v1/files",
        files={"content": ("a.html", b"<script>", "text/html")},
        data={"metadata": '{"a": "b"}'},
    )
    assert answer.status_code == 201
    file = answer.json()
    assert (file["name"], file["content_type"], file["size"]) == ("a.html", "text/html", 8)
    assert (file["metadata"], file["checksums"]["sha256"]) == ({"a": "b"}, file["etag"])
    assert gateway.http.get(file["urls"]["get"]).json() == file
    content = gateway.http.get(f"{file['urls']['get']}/content")
    assert (content.content, content.headers["content-type"]) == (
        b"<script>",
        "application/octet-stream",
    )


def test_a_batch_becomes_one_job_and_its_results_a_file(
    gateway: RunningGateway, client: OpenAI, manual_worker: ManualWorker
) -> None:
    """Lines of several pictures too; each line finds its answer by its custom_id."""
    batch = submit(client, line(1), line(2, n=3), line(3, size="1024x1024"))
    assert (batch.status, batch.metadata) == ("in_progress", {"purpose": "fruit"})
    assert batch.expires_at == batch.created_at + 86_400
    (job,) = gateway.http.get("/v1/jobs").json()["jobs"]
    assert (job["units"], job["priority"]) == (5, "bulk")
    manual_worker.work(LANE)
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert batch.error_file_id is None
    assert batch.request_counts
    assert batch.request_counts.model_dump() == {"total": 3, "completed": 3, "failed": 0}
    found = lines_of(client, batch.output_file_id)
    data = {name: one["response"]["body"]["data"] for name, one in found.items()}
    assert {name: len(urls) for name, urls in data.items()} == {
        "apple-1": 1,
        "apple-2": 3,
        "apple-3": 1,
    }
    assert gateway.http.get(data["apple-1"][0]["url"]).content.startswith(b"\x89PNG")
    assert [one.id for one in client.batches.list(limit=1)] == [batch.id]
    assert client.files.delete(str(batch.output_file_id)).deleted
    assert client.batches.retrieve(batch.id).output_file_id is None


def test_lines_for_gpt_image_are_answered_with_the_pictures_themselves(
    client: OpenAI, manual_worker: ManualWorker
) -> None:
    """Because its clients read nothing else."""
    batch = submit(client, line(1, model="gpt-image-1"))
    manual_worker.work(LANE)
    batch = client.batches.retrieve(batch.id)
    found = lines_of(client, batch.output_file_id)
    assert found["apple-1"]["response"]["body"]["data"][0]["b64_json"].startswith("iVBOR")


def test_failed_lines_stand_in_the_error_file(client: OpenAI, manual_worker: ManualWorker) -> None:
    """With the reason, and the others in the output file."""
    batch = submit(client, line(1), line(2), line(3))
    manual_worker.work(LANE, failing=(1,))
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert batch.request_counts
    assert batch.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
    assert set(lines_of(client, batch.output_file_id)) == {"apple-1", "apple-3"}
    errors = lines_of(client, batch.error_file_id)
    assert errors["apple-2"]["response"]["status_code"] == 500
    assert "told to" in errors["apple-2"]["response"]["body"]["error"]["message"]


def test_every_fault_of_a_batch_is_listed_by_its_line(
    gateway: RunningGateway, client: OpenAI
) -> None:
    """And nothing is queued."""
    batch = submit(client, line(1), line(2, prompt=""), line(1), line(4, n=99, model="gpt-image-1"))
    assert batch.status == "failed"
    assert batch.errors
    assert batch.errors.data
    assert [(one.line, one.param) for one in batch.errors.data] == [
        (2, "prompt"),
        (3, "custom_id"),
        (4, "n"),
    ]
    assert client.batches.retrieve(batch.id).status == "failed"
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def test_a_canceled_batch_keeps_what_is_finished(
    gateway: RunningGateway, client: OpenAI, manual_worker: ManualWorker
) -> None:
    """The lines that were not drawn say why."""
    batch = submit(client, line(1), line(2, precision="int8"))
    assert len(gateway.http.get("/v1/jobs").json()["jobs"]) == 2
    manual_worker.work(LANE)
    batch = client.batches.cancel(batch.id)
    assert batch.status == "cancelled"
    assert batch.cancelled_at
    assert set(lines_of(client, batch.output_file_id)) == {"apple-1"}
    error = lines_of(client, batch.error_file_id)["apple-2"]["error"]
    assert error["code"] == "batch_cancelled"
    assert client.batches.cancel(batch.id).status == "cancelled"


def test_edits_of_a_batch_name_uploaded_pictures(gateway: RunningGateway, client: OpenAI) -> None:
    """By the id of a file; a path of the gateway's machine is refused."""
    picture = client.files.create(file=("a.png", png()), purpose="vision")
    url = "/v1/images/edits"
    good = line(1, url, images=[{"file_id": picture.id}])
    batch = submit(client, good, line(2, url, image="/etc/hostname"))
    assert batch.errors
    assert batch.errors.data
    assert [one.line for one in batch.errors.data] == [2]
    assert submit(client, good).status == "in_progress"
    (job,) = gateway.http.get("/v1/jobs").json()["jobs"]
    assert job["units"] == 1


def test_a_batch_that_is_sent_twice_is_one_batch(gateway: RunningGateway, client: OpenAI) -> None:
    """Also when the gateway died between its jobs and its record, which is lost then."""
    body = {
        "input_file_id": upload(client, line(1), line(2, precision="int8")),
        "endpoint": "/v1/images/generations",
        "completion_window": "24h",
    }
    found = []
    with Client(gateway.settings) as farm:
        for count in ("0", "1", "2"):
            answer = gateway.http.post(
                "/v1/batches", json=body, headers={"x-stainless-retry-count": count}
            )
            found.append((answer.json()["id"], [job["id"] for job in answer.json()["jobs"]]))
            if count == "0":
                (record,) = farm.archive.store.list("gateway/batches/")
                farm.archive.store.delete(record.key)
    assert found[0] == found[1] == found[2]
    assert len(gateway.http.get("/v1/jobs").json()["jobs"]) == 2


def test_a_batch_of_thousands_of_lines_is_a_few_jobs(
    gateway: RunningGateway, client: OpenAI
) -> None:
    """Jobs, and not lines, are what the queue holds."""
    batch = submit(client, *(line(number) for number in range(3_000)))
    assert batch.status == "in_progress"
    assert batch.request_counts
    assert batch.request_counts.total == 3_000
    assert len(gateway.http.get("/v1/jobs").json()["jobs"]) == 1


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"endpoint": "/v1/chat/completions"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"metadata": {"a": "b" * 600}}, "metadata"),
        ({"input_file_id": 5}, "input_file_id"),
    ],
)
def test_a_bad_order_is_refused(
    gateway: RunningGateway, changes: dict[str, Any], param: str
) -> None:
    """With the field that is wrong."""
    order = {
        "input_file_id": "file-" + "0" * 28,
        "endpoint": "/v1/images/generations",
        "completion_window": "24h",
    }
    answer = gateway.http.post("/v1/batches", json=order | changes)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_missing_file_is_not_found(client: OpenAI) -> None:
    """A batch of it is refused, and so is whatever else an id may hold."""
    for file_id in ("file-" + "0" * 28, "file-x", "..%2f..%2fjobs", f"file-{'0' * 28}-output"):
        with pytest.raises(openai.NotFoundError):
            client.files.content(file_id)
    with pytest.raises(openai.NotFoundError, match="no such file"):
        client.batches.create(
            input_file_id="file-" + "0" * 28,
            endpoint="/v1/images/generations",
            completion_window="24h",
        )


def test_a_batch_whose_jobs_were_removed_is_still_shown(
    gateway: RunningGateway, client: OpenAI, manual_worker: ManualWorker
) -> None:
    """From the store once the broker has forgotten it; without results once the store has too."""
    batch = submit(client, line(1), line(2))
    manual_worker.work(LANE)
    forget_farm(gateway.settings)
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert set(lines_of(client, batch.output_file_id)) == {"apple-1", "apple-2"}
    with Client(gateway.settings) as farm:
        for found in list(farm.archive.store.list("jobs/")):
            farm.archive.store.delete(found.key)
    (batch,) = client.batches.list()
    assert batch.output_file_id is None
    assert lines_of(client, batch.error_file_id) == {}


def test_files_and_batches_of_others_are_not_found(farm_settings: Settings) -> None:
    """Nobody learns that they exist, and a key without the right is refused."""
    store = KeyStore(open_store(farm_settings))
    both, one = frozenset({Scope.SUBMIT, Scope.READ_OWN}), frozenset({Scope.SUBMIT})
    keys = {
        user: str(store.create(user, scopes=scopes)[1])
        for user, scopes in (("ann", both), ("bob", both), ("eve", one))
    }
    with RunningGateway(farm_settings) as gateway:

        def asks(user: str, route: str) -> int:
            headers = {"Authorization": f"Bearer {keys[user]}"}
            return gateway.http.get(route, headers=headers).status_code

        with OpenAI(base_url=f"{gateway.url}/v1", api_key=keys["ann"], max_retries=0) as ann:
            batch = submit(ann, line(1))
        file = f"/v1/files/{batch.input_file_id}"
        for route in (file, f"{file}/content", f"/v1/batches/{batch.id}"):
            assert [asks(user, route) for user in keys] == [200, 404, 403]
