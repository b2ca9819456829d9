"""Batches, as OpenAI's client submits them and fetches their results."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI
from support.manual_worker import LANE, ManualWorker, forget_farm
from support.openai_batches import line, lines_of, png, submit, upload
from support.running_gateway import RunningGateway

from winepress import Client


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


def test_a_batch_with_thousands_of_faults_lists_the_first_thousand(
    client: OpenAI, gateway: RunningGateway
) -> None:
    """And counts the others; its record stays readable."""
    batch = submit(client, *(line(number, unknown="x" * 500) for number in range(1_200)))
    assert batch.status == "failed"
    found = gateway.http.get(f"/v1/batches/{batch.id}").json()["errors"]
    assert (len(found["data"]), found["more"]) == (1_000, 200)
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)
