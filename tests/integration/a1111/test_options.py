"""Options, lists, and routes that are not there."""

from __future__ import annotations

import json

import pytest
from support.a1111 import LANES, Draw
from support.manual_worker import ManualWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress import Client


@pytest.mark.parametrize("name", ["title", "name", "hash", "file", "upper"])
def test_a_checkpoint_is_chosen_under_any_of_its_names(
    gateway: RunningGateway, draw: Draw, name: str
) -> None:
    """Kept for the caller, and used by the next request that names none."""
    (entry,) = (
        one
        for one in gateway.http.get("/sdapi/v1/sd-models").json()
        if one["model_name"] == "vignette.int8"
    )
    assert entry["title"] == f"vignette.int8 [{entry['hash']}]"
    names = {"title": entry["title"], "name": "vignette.int8", "hash": entry["hash"]}
    names |= {"file": "vignette.int8.safetensors", "upper": entry["title"].upper()}
    answer = gateway.http.post("/sdapi/v1/options", json={"sd_model_checkpoint": names[name]})
    assert (answer.status_code, answer.json()) == (200, None)
    options = gateway.http.get("/sdapi/v1/options").json()
    assert options["sd_model_checkpoint"] == entry["title"]
    assert json.loads(draw("txt2img").json()["info"])["sd_model_name"] == "vignette.int8"
    override = {"override_settings": {"sd_model_checkpoint": "vignette"}}
    assert json.loads(draw("txt2img", **override).json()["info"])["sd_model_name"] == "vignette"


def test_the_whole_object_of_options_may_be_sent_back(
    gateway: RunningGateway, held: Client
) -> None:
    """Open WebUI does so to change the model; settings that only A1111 has change nothing."""
    options = gateway.http.get("/sdapi/v1/options").json()
    changed = options | {"sd_model_checkpoint": "vignette.int8", "ESRGAN_tile": 192}
    assert gateway.http.post("/sdapi/v1/options", json=changed).status_code == 200
    after = gateway.http.get("/sdapi/v1/options").json()
    assert {name for name in options if options[name] != after[name]} == {
        "sd_model_checkpoint",
        "sd_checkpoint_hash",
    }
    unknown = gateway.http.post("/sdapi/v1/options", json={"sd_model_checkpoint": "v1-5"})
    assert (unknown.status_code, unknown.json()["error"]) == (422, "unknown-model")


def test_every_list_that_clients_ask_for_is_there(gateway: RunningGateway, held: Client) -> None:
    """Lists of named things, or objects; SillyTavern empties two menus when one is missing."""
    for name in ("samplers", "schedulers", "upscalers"):
        assert all(one["name"] for one in gateway.http.get(f"/sdapi/v1/{name}").json())
    empty = "latent-upscale-modes sd-vae sd-modules loras hypernetworks face-restorers"
    for name in f"{empty} realesrgan-models prompt-styles script-info extensions".split():
        assert gateway.http.get(f"/sdapi/v1/{name}").json() == []
    assert gateway.http.get("/sdapi/v1/scripts").json() == {"txt2img": [], "img2img": []}
    assert gateway.http.get("/sdapi/v1/embeddings").json() == {"loaded": {}, "skipped": {}}
    assert gateway.http.get("/sdapi/v1/cmd-flags").json()["api"] is True
    assert gateway.http.get("/sdapi/v1/memory").json()["ram"]["total"] > 0
    assert gateway.http.get("/internal/ping").json() == {}
    for name in ("refresh-checkpoints", "refresh-loras"):
        assert gateway.http.post(f"/sdapi/v1/{name}").status_code == 200


def test_models_are_those_that_live_workers_draw_with(gateway: RunningGateway) -> None:
    """None without a worker; each precision but the usual one under a name of its own."""

    def names() -> list[str]:
        return [one["model_name"] for one in gateway.http.get("/sdapi/v1/sd-models").json()]

    assert names() == []
    ManualWorker(gateway.settings).live(*LANES)
    wait_until(lambda: names() == ["vignette", "vignette.int8", "vignette-inpaint"])


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("POST", "/sdapi/v1/text2img", 404, "/sdapi/v1/txt2img"),
        ("GET", "/sdapi/v2/options", 404, "/sdapi/v1/options"),
        ("GET", "/sdapi/v1/txt2img", 405, "POST"),
        ("POST", "/sdapi/v1/interrogate", 404, "png-info"),
    ],
)
def test_routes_that_are_not_there_are_told_in_the_form_of_the_api(
    gateway: RunningGateway, method: str, path: str, status: int, hint: str
) -> None:
    """With what was probably meant."""
    answer = gateway.http.request(method, path)
    assert answer.status_code == status
    assert answer.json().keys() == {"error", "detail", "body", "errors"}
    assert hint in answer.json()["detail"]


@pytest.mark.parametrize("text", ["{", "[]", '{"prompt": NaN}', '{"a": 1, "a": 2}', "\xff"])
@pytest.mark.parametrize("route", ["txt2img", "options", "png-info", "extra-single-image"])
def test_bodies_that_are_no_json_object_are_refused(
    gateway: RunningGateway, route: str, text: str
) -> None:
    """400, in the form of the API."""
    answer = gateway.http.post(f"/sdapi/v1/{route}", content=text.encode("latin-1"))
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")
