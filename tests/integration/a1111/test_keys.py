"""A1111's routes behind keys: what a caller without a name or an id can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.a1111 import LANES
from support.manual_worker import ManualWorker
from support.running_gateway import RunningGateway

from winepress import Client, Priority, TextToImage
from winepress.gateway.access import Scope
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.state import JobState
from winepress_shared.stores import open_store

Ask = Callable[..., Any]


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway that asks everybody for a key, and a worker that draws nothing."""
    settings = farm_settings.model_copy(update={"require_keys": True})
    ManualWorker(settings).live(*LANES)
    with RunningGateway(settings) as one:
        yield one


@pytest.fixture
def ask(gateway: RunningGateway) -> Ask:
    """Ask as somebody with a key, as its password, like clients of A1111 do."""
    keys: dict[str, tuple[str, str]] = {}
    store = KeyStore(open_store(gateway.settings))

    def one(user: str, method: str, route: str, body: object = None, **terms: Any) -> Any:
        if user not in keys:
            keys[user] = ("key", str(store.create(user, **terms)[1]))
        return gateway.http.request(method, f"/sdapi/v1/{route}", json=body, auth=keys[user])

    return one


def test_a_key_interrupts_its_own_jobs_alone(gateway: RunningGateway, ask: Ask) -> None:
    """Interrupt has no id: what is somebody else's is never found, nor shown as progress."""
    job = TextToImage(prompt="a pear", priority=Priority.INTERACTIVE)
    with Client(gateway.settings) as client:
        anns = client.submit(job, user="ann")
        assert ask("bob", "GET", "progress").json()["state"]["job_count"] == 0
        assert ask("bob", "POST", "interrupt").status_code == 200
        assert anns.status().state is JobState.QUEUED
        assert ask("ann", "GET", "progress").json()["state"]["job"] == anns.id
        assert ask("ann", "POST", "interrupt").status_code == 200
        assert anns.status().state is JobState.CANCELED


def test_a_key_that_may_only_submit_interrupts_its_jobs_and_sees_none(
    gateway: RunningGateway, ask: Ask
) -> None:
    """Control of one's own jobs belongs to the right to submit them."""
    terms = {"scopes": frozenset({Scope.SUBMIT})}
    with Client(gateway.settings) as client:
        job = TextToImage(prompt="a pear", priority=Priority.INTERACTIVE)
        mine = client.submit(job, user="ann")
        assert ask("ann", "GET", "progress", **terms).json()["state"]["job_count"] == 0
        assert ask("ann", "POST", "interrupt").status_code == 200
        assert mine.status().state is JobState.CANCELED


def test_each_key_has_a_model_of_its_own_choice(ask: Ask) -> None:
    """And sees only those that it may ask for."""
    assert (
        ask("ann", "POST", "options", {"sd_model_checkpoint": "vignette.int8"}).status_code == 200
    )
    chosen = [ask(user, "GET", "options").json()["sd_model_checkpoint"] for user in ("ann", "bob")]
    assert [one.partition(" ")[0] for one in chosen] == ["vignette.int8", "vignette"]
    limited = ask("eve", "GET", "sd-models", models=frozenset({"vignette-inpaint"})).json()
    assert [one["model_name"] for one in limited] == ["vignette-inpaint"]


def test_a_key_that_only_reads_changes_nothing(ask: Ask) -> None:
    """403 in the API's form; without a key it is 401."""
    scopes = frozenset({Scope.READ_OWN})
    for route in ("txt2img", "options", "interrupt", "extra-single-image"):
        answer = ask("ann", "POST", route, {"prompt": "a pear"}, scopes=scopes)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden"), route


def test_without_a_key_there_is_no_answer(gateway: RunningGateway) -> None:
    """Nor with the empty password that clients send who have none."""
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic dW5kZWZpbmVk"}):
        answer = gateway.http.get("/sdapi/v1/options", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
