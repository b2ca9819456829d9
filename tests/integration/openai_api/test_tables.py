"""Batches over HTTP: tables in our own forms, and files of OpenAI's Batch API."""

from __future__ import annotations

import pytest
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway

CSV = "name,prompt,steps\nfirst,a red apple,2\nsecond,a green apple,2\n"
FAULTY = "name,prompt,steps\nfirst,a red apple,2\nsecond,,2\nthird,a pear\nfourth,a plum,0\n"


def test_a_dry_run_tells_what_a_table_would_become_and_queues_nothing(
    gateway: RunningGateway,
) -> None:
    """Pictures, cost and lanes, with the fields of the query for columns that are not there."""
    answer = gateway.http.post(
        "/v1/batches",
        params={"format": "csv", "dry_run": 1, "precision": "int8", "matrix": "seed=1-3"},
        content=CSV,
    )
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert (plan["is_valid"], plan["lines"], plan["pictures"]) == (True, 2, 6)
    (lane,) = plan["lanes"]
    assert (lane["lane"], lane["pictures"], lane["priority"]) == ("vignette.int8", 6, "bulk")
    assert lane["megapixel_steps"] > 0
    assert "no worker" in lane["impossible"]
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def test_every_invalid_line_of_a_table_is_named(gateway: RunningGateway) -> None:
    """By its line and its field, in a dry run and in a submission, which queues nothing."""
    for params in ({"dry_run": "1"}, {}):
        answer = gateway.http.post(
            "/v1/batches", params=params, content=FAULTY, headers={"Content-Type": "text/csv"}
        )
        assert answer.status_code == (200 if params else 400)
        plan = answer.json()
        assert not plan["is_valid"]
        assert [(one["line"], one["param"]) for one in plan["errors"]] == [
            (3, "prompt"),
            (4, None),
            (5, "steps"),
        ]
    assert "line 3" in answer.json()["error"]["message"]
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def test_a_table_becomes_one_job_for_each_lane(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """202, Location, the jobs with their links, and a batch that counts its lines."""
    answer = gateway.http.post("/v1/batches?format=csv&title=fruit", content=CSV)
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert answer.headers["Location"] == f"/v1/batches/{batch['id']}"
    (job,) = batch["jobs"]
    assert (batch["status"], job["units"]) == ("in_progress", 2)
    assert batch["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
    manual_worker.work(LANE)
    batch = gateway.http.get(f"/v1/batches/{batch['id']}").json()
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert len(gateway.http.get(job["links"]["results"]).json()["outputs"]) == 2


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("jsonl", '{"prompt": "a", "steps": 2}\nnot JSON\n{"prompt": "b", "steps": 2}\n'),
        ("prompts", "a\n--prompt\nb\n"),
        ("csv", "prompt,n\na,1\nb\nc,1\n"),
    ],
)
def test_lines_of_every_form_are_read_to_the_end(
    gateway: RunningGateway, form: str, content: str
) -> None:
    """A line that cannot be read does not hide the faults of later ones."""
    plan = gateway.http.post(
        "/v1/batches", params={"format": form, "dry_run": 1}, content=content
    ).json()
    assert ([one["line"] for one in plan["errors"]], plan["lines"]) == ([2 + (form == "csv")], 3)


def test_a_batch_opens_no_file_of_the_gateways_machine(gateway: RunningGateway) -> None:
    """Pictures come embedded or by reference; a path is refused before anything is opened."""
    line = '{"prompt": "a", "kind": "image-to-image", "image": "/etc/hostname"}\n'
    plan = gateway.http.post("/v1/batches?format=jsonl&dry_run=1", content=line).json()
    assert "a path or an address" in plan["errors"][0]["message"]
    answer = gateway.http.post("/v1/batches?format=csv&image=/etc/hostname", content=CSV)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "image")


def test_the_same_idempotency_key_never_makes_a_second_batch(gateway: RunningGateway) -> None:
    """The first batch is answered again; other content under the key is a conflict."""
    headers = {"Idempotency-Key": "fruit"}
    first, second = (
        gateway.http.post("/v1/batches?format=csv", content=CSV, headers=headers).json()
        for _ in range(2)
    )
    assert first["id"] == second["id"]
    assert len(gateway.http.get("/v1/jobs").json()["jobs"]) == 1
    other = gateway.http.post(
        "/v1/batches?format=csv", content=CSV + "third,a,2\n", headers=headers
    )
    assert (other.status_code, other.headers["x-should-retry"]) == (409, "false")


def test_a_name_of_openai_means_a_model_of_the_farm_in_tables_too(gateway: RunningGateway) -> None:
    """In a line, and in the query, beside lines that name their model in other words."""
    lines = '{"prompt": "a", "model": "dall-e-3"}\n{"prompt": "b", "lcm_model_id": "tiny-sd"}\n'
    plan = gateway.http.post(
        "/v1/batches?format=jsonl&dry_run=1&model=gpt-image-1", content=lines
    ).json()
    assert {lane["lane"] for lane in plan["lanes"]} == {"vignette.fp16", "tiny-sd.fp16"}


def test_a_table_that_is_no_text_is_refused_without_a_word_of_the_gateways_disk(
    gateway: RunningGateway,
) -> None:
    """With the line, and nothing of the file that holds it for a moment."""
    answer = gateway.http.post("/v1/batches?format=csv", content=b"prompt\na\n\xff\n")
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert "line 3 is not UTF-8 text" in message
    assert "/" not in message
