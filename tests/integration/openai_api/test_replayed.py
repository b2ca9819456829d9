"""Requests of programs that are too large to install here, as their sources send them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway

from winepress_shared.settings import Settings


@pytest.fixture
def gateway(farm_settings: Settings, manual_worker: ManualWorker) -> Iterator[RunningGateway]:
    """A gateway of the test's farm, which has a worker."""
    with manual_worker.working(LANE), RunningGateway(farm_settings) as one:
        yield one


def png() -> bytes:
    """A small picture."""
    Image.new("RGB", (64, 64), "red").save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def ask(gateway: RunningGateway, route: str, **how: Any) -> dict[str, Any]:
    """The only picture of an answer."""
    answer = gateway.http.post(f"/v1/images/{route}", **how)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["data"]
    found: dict[str, Any] = one
    return found


OPEN_WEBUI = {"prompt": "a red apple", "n": 1, "size": "512x512"}
ONE_KEY = {"Authorization": "Bearer sk-none", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        OPEN_WEBUI | {"model": "vignette", "response_format": "b64_json"},
        OPEN_WEBUI | {"model": "gpt-image-1"},  # it asks these for no response_format
        OPEN_WEBUI | {"model": "dall-e-3", "response_format": "b64_json", "quality": "standard"},
    ],
)
def test_open_webui_draws(gateway: RunningGateway, body: dict[str, Any]) -> None:
    """Its engine `openai` reads `b64_json` or `url`; `api-version` is for Azure."""
    found = ask(gateway, "generations?api-version=2025-04-01", json=body, headers=ONE_KEY)
    assert found["b64_json"]


@pytest.mark.parametrize("field", ["image", "image[]"])
def test_open_webui_edits(gateway: RunningGateway, field: str) -> None:
    """A form with one picture, or with a list of them, and `background`."""
    form = {"model": "gpt-image-1", "prompt": "a green apple", "n": "1", "size": "1024x1024"}
    found = ask(
        gateway,
        "edits",
        data=form | {"background": "opaque"},
        files=[(field, ("image_1.png", png(), "image/png"))],
        headers={"Authorization": "Bearer sk-none"},
    )
    assert found["b64_json"]


def test_open_webui_may_show_an_empty_key(gateway: RunningGateway) -> None:
    """It sends the header whether it has a key or not."""
    body = OPEN_WEBUI | {"model": "gpt-image-1"}
    assert ask(gateway, "generations", json=body, headers={"Authorization": ""})


def test_dify_draws(gateway: RunningGateway) -> None:
    """It names one model whatever the user chooses, and drops pictures that are no base64."""
    body = {
        "model": "gpt-image-2",
        "prompt": "a red apple",
        "n": 1,
        "size": "1024x1024",
        "quality": "auto",
        "background": "auto",
        "output_format": "png",
        "moderation": "low",
    }
    found = ask(gateway, "generations", json=body, headers=ONE_KEY)
    assert found["b64_json"].startswith("iVBOR")


def test_dify_edits_several_pictures_or_is_told_that_it_cannot(gateway: RunningGateway) -> None:
    """One picture is drawn anew; two are refused with the number that is allowed."""
    form = {"model": "gpt-image-2", "prompt": "a", "n": "1", "input_fidelity": "high"}
    files = [("image[]", ("a.png", png(), "image/png"))]
    assert ask(gateway, "edits", data=form, files=files)["b64_json"]
    refused = gateway.http.post("/v1/images/edits", data=form, files=files * 2)
    assert refused.status_code == 400
    assert "one picture" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (
            {
                "prompt": "a red apple",
                "model": "dall-e-3",
                "response_format": "b64_json",
                "quality": "hd",
                "size": "1024x1024",
                "style": "vivid",
            },
            "b64_json",
        ),
        (
            {
                "prompt": "a red apple",
                "model": "dall-e-2",
                "response_format": "url",
                "n": 1,
                "size": "256x256",
            },
            "url",
        ),
        ({"prompt": "a red apple", "model": "gpt-image-1", "quality": "medium"}, "b64_json"),
    ],
)
def test_n8n_draws(gateway: RunningGateway, body: dict[str, Any], member: str) -> None:
    """Its node sets `style` and `quality` for the models that once had them."""
    assert ask(gateway, "generations", json=body, headers=ONE_KEY)[member]


def test_n8n_finds_models_to_choose_from(gateway: RunningGateway) -> None:
    """Its picker shows ids with `dall-e` or `gpt-image` alone."""
    models = gateway.http.get("/v1/models", headers=ONE_KEY).json()["data"]
    offered = [one["id"] for one in models if "dall-e" in one["id"] or "gpt-image" in one["id"]]
    assert {"gpt-image-1", "dall-e-3"} <= set(offered)


def test_n8n_edits(gateway: RunningGateway) -> None:
    """Its form repeats `image[]`, and every number is a text."""
    form = {
        "model": "gpt-image-1",
        "prompt": "a green apple",
        "n": "1",
        "size": "1024x1024",
        "quality": "auto",
        "output_format": "jpeg",
        "output_compression": "80",
        "background": "auto",
        "input_fidelity": "low",
    }
    files = [
        ("image[]", ("a.png", png(), "image/png")),
        ("mask", ("mask.png", png(), "image/png")),
    ]
    assert ask(gateway, "edits", data=form, files=files)["b64_json"]
