"""Limits of a key: requests, units, megapixel-steps and models, across all gateways of a farm."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from support.manual_worker import LANE, ManualWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress import Client
from winepress.gateway.api_key import Token
from winepress.gateway.key_store import KeyStore
from winepress_shared.ledger.key_quotas import KeyQuotas, Wish
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

STEPS = {"prompt": "an apple", "width": 512, "height": 512, "steps": 20}
COST = 512 * 512 * 20 / 1e6  #: megapixel-steps of one such picture
MakeToken = Callable[..., Token]


@pytest.fixture
def make_token(farm_settings: Settings) -> MakeToken:
    """Makes a key."""
    keys = KeyStore(open_store(farm_settings))
    return lambda user, **terms: keys.create(user, **terms)[1]


@pytest.fixture
def gateways(farm_settings: Settings) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Two gateways of one farm, with clients and counters of their own."""
    with RunningGateway(farm_settings) as one, RunningGateway(farm_settings) as other:
        for gateway in (one, other):
            # FastAPI finishes its routes at a first request, with warnings off for all threads.
            gateway.http.get("/nowhere")
        yield one, other


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(gateways: tuple[RunningGateway, RunningGateway], make_token: MakeToken) -> Iterator[Any]:
    """Makes a function that submits jobs with a new key, to both gateways in turn."""
    with ExitStack() as stack:

        def holder(user: str = "ann", **terms: Any) -> Ask:
            headers = {"Authorization": f"Bearer {make_token(user, **terms)}"}
            clients = [
                stack.enter_context(
                    httpx.Client(base_url=one.url, headers=headers, trust_env=False, timeout=60)
                )
                for one in gateways
            ]

            def submit(headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
                clients.reverse()
                return clients[0].post("/v1/jobs", json=STEPS | fields, headers=headers)

            submit.client = clients[0]  # type: ignore[attr-defined]
            return submit

        yield holder


def is_refused(answer: httpx.Response) -> bool:
    """By a limit, with a time to wait that a client can read."""
    if answer.status_code != 429:
        return False
    assert answer.json()["code"] == "too-many-requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    return True


def test_requests_in_a_minute_are_counted_for_all_gateways_together(
    gateways: tuple[RunningGateway, RunningGateway], make_token: MakeToken
) -> None:
    """Those of one key; another key of the same user has a count of its own."""
    one, other = gateways
    slow, fast = ({"X-API-Key": str(make_token("ann", rate=rate))} for rate in (4, None))
    answers = [
        gateway.http.get("/v1/jobs", headers=slow) for gateway in (one, other, other, one, one)
    ]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert is_refused(answers[-1])
    assert 10 <= int(answers[-1].headers["Retry-After"]) <= 15
    assert one.http.get("/v1/jobs", headers=fast).status_code == 200


def test_the_time_to_wait_is_true(farm_settings: Settings) -> None:
    """Before it is over the key is refused, after it no more."""
    quotas = KeyQuotas(farm_settings)
    waits = [quotas.count_request("k", 120) for _ in range(150)]
    wait_s = waits[-1]
    assert waits[:120] == [0.0] * 120
    assert 0 < wait_s <= 0.5
    time.sleep(wait_s)
    assert quotas.count_request("k", 120) == 0
    quotas.close()


def test_units_that_have_not_ended_are_limited(ask: Any) -> None:
    """Across gateways; canceled units are free again, and more than the limit is never right."""
    submit = ask(queue=4)
    first = submit(n=3)
    assert first.status_code == 202
    assert is_refused(submit(n=2))
    assert submit(n=1).status_code == 202
    assert is_refused(submit())
    too_many = submit(n=5)
    assert (too_many.status_code, too_many.json()["code"]) == (422, "invalid-job")
    assert ask("bob", queue=4)(n=4).status_code == 202
    submit.client.post(f"/v1/jobs/{first.json()['id']}/cancel")
    wait_until(lambda: not is_refused(submit(n=3)))
    assert is_refused(submit())


def test_finished_units_are_free_again(ask: Any, manual_worker: ManualWorker) -> None:
    """Without anybody telling the gateway."""
    submit = ask(queue=2)
    with manual_worker.working(LANE):
        answer = submit(n=2, headers={"Prefer": "wait=60"})
        assert answer.json()["state"] == "succeeded"
        wait_until(lambda: not is_refused(submit(n=2)))


def test_a_retry_needs_room_too(ask: Any) -> None:
    """Cancel and submit, again and again, does not fill the queue by retrying all of them."""
    submit = ask(queue=2)
    canceled = submit(n=2).json()["id"]
    submit.client.post(f"/v1/jobs/{canceled}/cancel")
    wait_until(lambda: not is_refused(submit(n=2)))
    assert is_refused(submit.client.post(f"/v1/jobs/{canceled}/retry"))
    assert submit.client.get(f"/v1/jobs/{canceled}").json()["state"] == "canceled"


def test_many_at_once_get_no_more_than_the_limit(ask: Any) -> None:
    """Twelve submissions through two gateways, and room for five."""
    submit = ask(queue=5)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: submit(), range(12)))
    assert Counter(answer.status_code for answer in answers) == {202: 5, 429: 7}


def test_what_is_refused_or_repeated_costs_nothing(ask: Any) -> None:
    """A repetition finds its job also when there is no room left for another one."""
    submit = ask(queue=3, megapixel_steps=COST * 3.5)
    key = {"Idempotency-Key": "order-7"}
    first = submit(n=2, headers=key)
    assert submit(n=2, headers=key).json()["id"] == first.json()["id"]
    assert submit(n=1, headers=key).status_code == 409
    assert submit(model="nothing").status_code == 422
    assert submit().status_code == 202
    assert submit(n=2, headers=key).json()["id"] == first.json()["id"]
    assert is_refused(submit())


def test_megapixel_steps_of_a_day_are_limited(ask: Any) -> None:
    """By what pictures cost, not by how many there are; they stay used when a job is canceled."""
    submit = ask(megapixel_steps=COST * 4)
    first = submit(n=2)
    assert submit(n=1).status_code == 202
    refused = submit(n=2)
    assert is_refused(refused)
    assert "megapixel-steps today" in refused.json()["detail"]
    assert submit(n=1, width=256, height=256, steps=10).status_code == 202
    submit.client.post(f"/v1/jobs/{first.json()['id']}/cancel")
    assert is_refused(submit(n=1, steps=19))
    assert submit(n=5).status_code == 422


def test_days_begin_anew(farm_settings: Settings) -> None:
    """Yesterday's count is another one, and what is given back goes to its own day."""
    quotas = KeyQuotas(farm_settings)
    found = quotas.reserve("k", [Wish("a", 1, 5.0), Wish("b", 1, 4.0)], None, 10)
    assert found.job_ids == {"a", "b"}
    full = quotas.reserve("k", [Wish("c", 1, 2.0)], None, 10)
    assert full.steps == 9
    assert 0 < full.until_tomorrow_s <= 86_400
    quotas.give_back("k", found.day - 1, 5.0, ["a"])
    assert quotas.reserve("k", [Wish("c", 1, 2.0)], None, 10).steps == 9
    quotas.give_back("k", found.day, 5.0, ["a"])
    assert quotas.reserve("k", [Wish("c", 1, 2.0)], None, 10).job_ids == {"c"}
    quotas.close()


def test_no_model_beyond_the_list_is_lent(ask: Any) -> None:
    """Neither as a refiner nor for the first picture of a zoom, named or not."""
    submit = ask(models=frozenset({"vignette-inpaint", "sdxl-base"}))
    zoom = {"kind": "zoom-video", "key_frames": 2, "width": 256, "height": 256, "steps": None}
    sdxl = {"model": "sdxl-base", "width": 1024, "height": 1024}
    for fields, field in (
        ({}, "model"),
        (sdxl | {"refiner": "sdxl-refiner"}, "refiner"),
        (zoom, "first_model"),
        (zoom | {"first_model": "sdxl-base", "model": "sd2-inpaint"}, "model"),
    ):
        answer = submit(**fields)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), fields
        assert answer.json()["field"] == field
    assert submit(**sdxl).status_code == 202


def test_the_key_frames_of_another_user_are_not_to_be_had(ask: Any, client: Client) -> None:
    """Their pictures would come out as a film."""
    ann, bob = ask("ann"), ask("bob")
    zoom = {"kind": "zoom-video", "key_frames": 2, "width": 256, "height": 256, "steps": None}
    source = ann(**zoom).json()["id"]
    stolen = bob(**zoom, key_frames_of=source)
    nowhere = bob(**zoom, key_frames_of="j" + "0" * 20)
    assert stolen.status_code == nowhere.status_code == 404
    assert stolen.text.replace(source, "j" + "0" * 20) == nowhere.text
    assert ann(**zoom, key_frames_of=source).status_code == 202
    assert [row.user for row in client.list()] == ["ann", "ann"]
