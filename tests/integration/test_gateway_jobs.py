"""The native routes of the gateway: a job from its submission to its picture, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from support.manual_worker import LANE, ManualWorker, forget_farm
from support.running_gateway import RunningGateway

from winepress import Client
from winepress.gateway.native.jobs import wait_s
from winepress_shared.settings import Settings

PATIENT = {"Prefer": "wait=60"}


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


def test_a_submission_is_accepted_with_the_address_of_its_job(gateway: RunningGateway) -> None:
    """202, Location, and the job itself, which a later GET shows."""
    answer = gateway.http.post("/v1/jobs", json={"prompt": "a red apple", "steps": 4, "n": 3})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"{gateway.url}/v1/jobs/{job['id']}"
    assert (job["state"], job["units"], job["progress"]) == ("queued", 3, 0)
    assert "no worker" in job["impossible"]
    assert gateway.http.get(job["links"]["self"]).json()["id"] == job["id"]


def test_the_answer_to_a_submission_is_the_job_as_it_is_listed(gateway: RunningGateway) -> None:
    """It is not read again, and says the same."""
    told = gateway.submit(n=3, expires_in=900, start_in=60, window="22:00-06:00", user="ann")
    (listed,) = gateway.http.get("/v1/jobs").json()["jobs"]
    times = ("created", "expires", "starts")  # by two clocks
    assert all(abs(told.pop(name) - listed.pop(name)) < 60 for name in times)
    assert (told.pop("warnings"), listed.pop("warnings")) == ([], None)
    assert told == listed


def test_prefer_wait_answers_with_the_finished_job(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """200 and the ended job, whose pictures open by their links without any key."""
    with manual_worker.working(LANE):
        answer = gateway.http.post("/v1/jobs", json={"prompt": "an apple", "n": 2}, headers=PATIENT)
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    results = gateway.http.get(answer.json()["links"]["results"]).json()
    assert [output["unit"] for output in results["outputs"]] == [0, 1]
    picture = gateway.http.get(results["outputs"][1]["url"])
    assert picture.headers["Content-Type"] == "image/png"
    assert len(picture.content) == results["outputs"][1]["size"]
    assert picture.content.startswith(b"\x89PNG")


def test_a_wait_that_runs_out_answers_with_the_job_as_it_is(gateway: RunningGateway) -> None:
    """202, and the job goes on."""
    answer = gateway.http.post(
        "/v1/jobs", json={"prompt": "an apple"}, headers={"Prefer": "wait=1"}
    )
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")


@pytest.mark.parametrize("wait", ["banana", "-5", "1.5", "", "5s"])
def test_a_wait_that_is_no_whole_number_is_refused(gateway: RunningGateway, wait: str) -> None:
    """With what is allowed, and nothing is queued; another preference beside it changes nothing."""
    headers = {"Prefer": f"respond-async, wait={wait}"}
    for path, body in (
        ("/v1/jobs", {"prompt": "a"}),
        ("/v1/predictions", {"version": "vignette", "input": {"prompt": "a"}}),
    ):
        answer = gateway.http.post(path, json=body, headers=headers)
        assert answer.status_code == 400
        assert "whole number of seconds, at most 600" in answer.json()["detail"]
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize("wait", ["wait=99999999", "wait=" + "9" * 400, 'x, wait="700"; y'])
def test_a_long_wait_is_cut_to_ten_minutes(wait: str) -> None:
    """However long it is."""
    headers = [(b"prefer", wait.encode())]
    assert wait_s(Request({"type": "http", "headers": headers})) == 600


def test_the_same_idempotency_key_never_makes_a_second_job(gateway: RunningGateway) -> None:
    """The first job is answered again; other content under the key is a conflict."""
    key = {"Idempotency-Key": "order-7"}
    first, again, other = (
        gateway.http.post("/v1/jobs", json={"prompt": prompt}, headers=key)
        for prompt in ("an apple", "an apple", "a pear")
    )
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(gateway.http.get("/v1/jobs").json()["jobs"]) == 1


def test_pages_of_jobs_hold_each_job_once(gateway: RunningGateway) -> None:
    """Newest first, however small the pages are; filters hold."""
    ids = [gateway.submit(user="ann" if number % 2 else None)["id"] for number in range(5)]
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = gateway.http.get("/v1/jobs", params=query).json()
        found += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ids[::-1]
    anns = gateway.http.get("/v1/jobs", params={"user": "ann"}).json()["jobs"]
    assert [job["id"] for job in anns] == [ids[3], ids[1]]
    assert gateway.http.get("/v1/jobs", params={"state": "failed"}).json()["jobs"] == []


def test_a_job_is_canceled_paused_resumed_and_retried(gateway: RunningGateway) -> None:
    """Each change answers with the job after it; an impossible one is a conflict."""
    path = gateway.submit()["links"]["self"]
    assert gateway.http.post(f"{path}/pause").json()["paused"] is True
    assert gateway.http.post(f"{path}/resume").json()["paused"] is False
    assert gateway.http.post(f"{path}/front").status_code == 200
    assert gateway.http.post(f"{path}/pin").json()["pinned"] is True
    assert gateway.http.post(f"{path}/unpin").json()["pinned"] is False
    assert gateway.http.post(f"{path}/cancel").json()["state"] == "canceled"
    refused = gateway.http.post(f"{path}/pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert refused.json()["detail"] == "cannot pause a job that was canceled"
    refused = gateway.http.post(f"{path}/front")
    assert refused.json()["detail"] == "cannot move to the front a job that was canceled"
    assert gateway.http.post(f"{path}/retry").json()["state"] == "queued"


def test_events_are_sent_as_they_happen_and_continue_after_an_id(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """A client that reconnects with Last-Event-ID misses nothing and gets nothing twice."""
    job = gateway.submit(n=2)
    with manual_worker.working(LANE), gateway.http.stream("GET", job["links"]["events"]) as stream:
        text = "".join(stream.iter_text())
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in _blocks(text)]
    names = [event["event"] for event in events]
    assert names[0] == "queued"
    assert names[-1] == "succeeded"
    assert names.count("unit-done") == 2
    assert json.loads(events[-1]["data"])["job"] == job["id"]

    middle = events[2]["id"]
    rest = gateway.http.get(job["links"]["events"], headers={"Last-Event-ID": middle}).text
    later = [dict(line.split(": ", 1) for line in block.split("\n")) for block in _blocks(rest)]
    assert later[0]["event"] == "state"
    state = json.loads(later[0]["data"])
    counts = [state[name] for name in ("done", "failed", "units", "paused")]
    assert json.dumps(counts) == "[2, 0, 2, false]"
    assert [event["id"] for event in later[1:]] == [event["id"] for event in events[3:]]


def _blocks(text: str) -> list[str]:
    return [block for block in text.split("\n\n") if block and not block.startswith(("retry", ":"))]


def test_an_upload_is_named_in_a_job(gateway: RunningGateway) -> None:
    """The reference of an uploaded picture stands for the picture."""
    picture = gateway.http.get(_drawn(gateway)).content
    upload = gateway.http.post("/v1/uploads", content=picture)
    assert (upload.status_code, upload.json()["width"]) == (201, 64)
    job = gateway.submit(kind="image-to-image", image=upload.json()["id"], width=64, height=64)
    assert job["kind"] == "image-to-image"


def _drawn(gateway: RunningGateway) -> str:
    with ManualWorker(gateway.settings).working(LANE):
        job = gateway.http.post("/v1/jobs", json={"prompt": "an apple"}, headers=PATIENT).json()
    url: str = gateway.http.get(job["links"]["results"]).json()["outputs"][0]["url"]
    return url


def test_links_to_the_store_stand_beside_their_own_pictures(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """Also where a picture in the middle is missing."""
    with manual_worker.working(LANE, failing=(1,)):
        job = gateway.http.post("/v1/jobs", json={"prompt": "x", "n": 3}, headers=PATIENT).json()
    path = job["links"]["results"]
    result = gateway.http.get(path, params={"links": "store"}).json()
    assert [output["unit"] for output in result["outputs"]] == [0, 2]
    assert [f"{output['unit']:06d}" in output["store_url"] for output in result["outputs"]] == [
        True,
        True,
    ]


def test_a_zoom_whose_film_nobody_can_cut_is_told_as_impossible(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """As it is to a program in Python."""
    manual_worker.live("vignette-inpaint.fp16")
    fields = {"kind": "zoom-video", "model": "vignette-inpaint", "key_frames": 3}
    told = gateway.submit(**fields)
    assert "film" in told["impossible"]
    assert gateway.http.get(told["links"]["self"]).json()["impossible"] == told["impossible"]


def test_every_wrong_method_is_answered_with_those_that_work(gateway: RunningGateway) -> None:
    """Also where the OpenAPI document does not list the route."""
    for path in ("/", "/openapi.json"):
        answer = gateway.http.post(path)
        assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)


def test_a_link_opens_only_its_own_output_and_only_as_it_was_signed(
    gateway: RunningGateway,
) -> None:
    """A changed name, time or signature is refused."""
    url = _drawn(gateway)
    longer = url.replace("until=", "until=9")
    assert gateway.http.get(longer).status_code == 403
    assert gateway.http.get(url.replace("000000.png", "000001.png")).status_code == 403
    assert gateway.http.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"prompt": ""}, 422, "invalid-job", "prompt"),
        ({"prompt": "x", "steps": 10**9}, 422, "invalid-job", "steps"),
        ({"prompt": "x", "model": "no-such"}, 422, "unknown-model", "model"),
        ({"prompt": "x", "image": "/etc/passwd"}, 422, "invalid-job", "image"),
        ({"prompt": "x", "image": "http://127.0.0.1/x.png"}, 422, "invalid-job", "image"),
        ({"prompt": "x", "mask": "../../secret.png"}, 422, "invalid-job", "mask"),
        ({"prompt": "x", "stps": 3}, 422, "invalid-job", "stps"),
        ({"prompt": "x", "window": "noon"}, 422, "invalid-job", "window"),
        ({"prompt": "x", "expires_in": -1}, 422, "invalid-job", "expires_in"),
        ({"prompt": "x", "user": 7}, 400, "bad-request", "user"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_queued(
    gateway: RunningGateway, body: dict[str, object], status: int, code: str, field: str | None
) -> None:
    """problem+json with a stable code and the field; paths and addresses are never opened."""
    answer = gateway.http.post("/v1/jobs", json=body)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("field")) == (status, code, field)
    assert gateway.http.get("/v1/jobs").json()["jobs"] == []


def test_missing_expired_and_unknown_are_told_apart(
    gateway: RunningGateway, client: Client, farm_settings: Settings
) -> None:
    """404 never existed, 410 its record has expired, and a helpful 404 for an unknown route."""
    assert gateway.http.get("/v1/jobs/j00").json()["code"] == "not-found"
    path = gateway.submit()["links"]["self"]
    forget_farm(farm_settings)
    gone = gateway.http.get(path)
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")
    unknown = gateway.http.get("/v1/job")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no-such-route")
    assert "/v1/jobs" in unknown.json()["detail"]
    assert gateway.http.delete("/v1/jobs").status_code == 405


def test_probes_answer_with_and_without_a_farm(gateway: RunningGateway) -> None:
    """healthz looks at the process alone, readyz at broker and store."""
    assert gateway.http.get("/healthz").json() == {"status": "ok"}
    assert gateway.http.get("/readyz").json() == {"status": "ok"}


def test_lanes_tell_what_waits_and_who_serves(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """An autoscaler reads the seconds of ready work; unknown is null, never zero."""
    manual_worker.live(LANE)
    gateway.submit(n=5)
    (lane,) = gateway.http.get("/v1/lanes").json()["lanes"]
    assert (lane["lane"], lane["waiting"], lane["workers"]) == (LANE, 5, 1)
    assert lane["ready_work_s"] is None
    workers = gateway.http.get("/v1/workers").json()["workers"]
    assert [worker["name"] for worker in workers] == ["manual"]
    work = gateway.http.get("/v1/ready-work", params={"device": "CPU", "lanes": "vignette.*"})
    assert work.json() == {"ready_work_s": 60.0, "waiting": 5, "in_hand": 0, "unknown": [LANE]}
    assert gateway.http.get("/v1/ready-work", params={"device": "TPU"}).status_code == 422
