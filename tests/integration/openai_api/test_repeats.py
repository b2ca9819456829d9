"""Requests that OpenAI's client sends again, because it did not hear the answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest
from openai import OpenAI
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway

from winepress_shared.ledger.repeats import RepeatedRequests
from winepress_shared.settings import Settings


class Losing(httpx2.BaseTransport):
    """A network that loses the answers to the first requests, and sends the requests."""

    def __init__(self, losses: int, *, waits: bool) -> None:
        """With ``waits`` an answer is lost when it is there, else while the job is in hand."""
        self._real = httpx2.HTTPTransport()
        self._losses = losses
        self._waits = waits
        self._sent: list[threading.Thread] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        if not self._losses:
            return self._real.handle_request(request)
        self._losses -= 1
        request.read()
        self._sent.append(threading.Thread(target=self._send, args=(request,)))
        self._sent[-1].start()
        if self._waits:
            self._sent[-1].join()
        raise httpx2.ReadError("the connection was lost", request=request)

    def _send(self, request: httpx2.Request) -> None:
        with httpx2.Client(transport=httpx2.HTTPTransport(), timeout=60) as client:
            client.send(request)

    def close(self) -> None:
        """Wait until everything has been answered."""
        for thread in self._sent:
            thread.join()
        self._real.close()


def client_of(gateway: RunningGateway, transport: httpx2.BaseTransport) -> OpenAI:
    """OpenAI's client, with its usual number of repetitions."""
    http = openai.DefaultHttpxClient(transport=transport)
    return OpenAI(base_url=f"{gateway.url}/v1", api_key="none", http_client=http)


@pytest.mark.parametrize("waits", [True, False])
def test_a_repeated_request_never_makes_a_second_job(
    gateway: RunningGateway, manual_worker: ManualWorker, waits: bool
) -> None:
    """Whether the first attempt has been answered or is still in hand."""
    with (
        manual_worker.working(LANE),
        client_of(gateway, Losing(2, waits=waits)) as client,
    ):
        found = client.images.generate(model="gpt-image-1", prompt="a red apple")
        assert found.data
        again = client.images.generate(model="gpt-image-1", prompt="a red apple")
    jobs = gateway.http.get("/v1/jobs").json()["jobs"]
    assert {job["id"] for job in jobs} == {
        one.model_extra["job"] for one in (found, again) if one.model_extra
    }
    assert len(jobs) == 2  # the same words, sent for the first time, are another request


def test_a_repeated_form_is_the_same_request(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """Although the boundaries of its parts differ."""
    form = {"prompt": "a"}
    files = {"image": ("a.png", b"no picture")}
    told = [
        gateway.http.post(
            "/v1/images/edits", data=form, files=files, headers={"x-stainless-retry-count": count}
        ).json()
        for count in ("0", "1")
    ]
    assert told[0] == told[1]


def test_two_gateways_share_what_was_noted(
    gateway: RunningGateway, manual_worker: ManualWorker
) -> None:
    """The repetition may reach another gateway of the farm."""
    body = {"model": "vignette", "prompt": "a red apple"}
    with RunningGateway(gateway.settings) as other, manual_worker.working(LANE):
        jobs = [
            one.http.post(
                "/v1/images/generations", json=body, headers={"x-stainless-retry-count": count}
            ).json()["job"]
            for one, count in ((gateway, "0"), (other, "1"), (gateway, "2"))
        ]
    assert len(set(jobs)) == 1


def test_equal_requests_at_the_same_time_keep_a_job_each(farm_settings: Settings) -> None:
    """As many notes as requests, however often each of them is repeated."""
    repeats = RepeatedRequests(farm_settings)
    try:
        with ThreadPoolExecutor(8) as pool:
            first, second, third = (
                list(pool.map(lambda _, n=number: repeats.note_of("a", "d", n), range(16)))
                for number in range(3)
            )
        assert len(set(first)) == 16
        assert set(first) == set(second) == set(third)
        assert repeats.note_of("b", "d", 1) not in first  # another user
        assert repeats.note_of("a", "e", 1) not in first  # another request
    finally:
        repeats.close()


def test_a_repetition_that_skips_a_number_finds_the_first_attempt(farm_settings: Settings) -> None:
    """An attempt that never arrived leaves no note."""
    repeats = RepeatedRequests(farm_settings)
    try:
        assert repeats.note_of("a", "d", 2) != repeats.note_of("a", "d", 0)
        first = repeats.note_of("a", "c", 0)
        assert repeats.note_of("a", "c", 2) == first
    finally:
        repeats.close()
