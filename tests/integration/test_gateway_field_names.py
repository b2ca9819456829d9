"""Errors name a field as the client has sent it, in every dialect and for every known name."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from support.running_gateway import RunningGateway

from winepress_shared.jobs.aliases import ALIASES
from winepress_shared.settings import Settings

#: A value that each of our fields refuses.
_REFUSED: dict[str, object] = {
    "negative_prompt": "x" * 2001,
    "width": 65,
    "height": 65,
    "num_inference_steps": 501,
    "guidance_scale": 51,
    "guidance_rescale": 2,
    "seed": -2,
    "n": 0,
    "strength": 2,
    "scheduler": "no such sampler",
    "model": "no-such-model",
    "image": "/etc/passwd",
    "mask": "/etc/passwd",
    "background": "no such colour",
    "clip_skip": 99,
    "guidance_start": 1,
    "guidance_min_sigma": 1001,
    "refiner": "no-such-model",
    "denoising_end": 2,
    "preview_every": -5,
}
#: Names that give a field, but not with its value → a value that they refuse.
_OTHERS: dict[str, object] = {
    "size": "65x256",
    "batch_size": 0,
    "n_iter": 0,
    "stop_at_clip_layer": -99,
    "output_compression": 101,
    "infotext": "a pear\nSteps: 501, Sampler: Euler, Seed: 1",
}
_CASES = {name: _REFUSED[ours] for name, ours in ALIASES.items()} | _OTHERS
_OF_PICTURES = ("image", "mask", "strength", "background")
_OF_REFINERS = ("refiner", "denoising_end")
Told = tuple[str, str]  #: message and field of an error
Ask = Callable[[dict[str, Any]], Told]


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm, which has no worker."""
    with RunningGateway(farm_settings) as one:
        yield one


def picture() -> str:
    """A picture of 64 by 64 in base64."""
    Image.new("RGB", (64, 64), "red").save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def body_with(name: str, value: object) -> dict[str, Any]:
    """A request that is right but for one field."""
    ours, body = ALIASES.get(name, name), {"prompt": "a red apple", name: value}
    if ours in _OF_PICTURES and ours != "image":
        body["init_images"] = [picture()]
    if ours == "denoising_end":
        body["refiner"] = "sdxl-refiner"
    return body


def is_of_pictures(body: dict[str, Any]) -> bool:
    """Whether a request starts from a picture."""
    return any(ALIASES.get(name, name) in ("image", "init_images") for name in body)


def native(gateway: RunningGateway) -> Ask:
    """``POST /v1/jobs``."""

    def ask(body: dict[str, Any]) -> Told:
        kind = "text-to-image"
        if is_of_pictures(body):
            masks = [name for name in body if ALIASES.get(name, name) == "mask"]
            kind = "inpaint" if masks else "image-to-image"
        told = gateway.http.post("/v1/jobs", json={"kind": kind} | body).json()
        return told["detail"], told["field"]

    return ask


def openai(gateway: RunningGateway) -> Ask:
    """``/v1/images``."""

    def ask(body: dict[str, Any]) -> Told:
        route = "edits" if is_of_pictures(body) else "generations"
        told = gateway.http.post(f"/v1/images/{route}", json=body).json()["error"]
        return told["message"], told["param"]

    return ask


def openai_batch(gateway: RunningGateway) -> Ask:
    """A line of a batch."""

    def ask(body: dict[str, Any]) -> Told:
        route = "edits" if is_of_pictures(body) else "generations"
        line = {"custom_id": "a", "method": "POST", "url": f"/v1/images/{route}", "body": body}
        file = {"file": ("a.jsonl", json.dumps(line).encode())}
        uploaded = gateway.http.post("/v1/files", files=file, data={"purpose": "batch"}).json()
        order = {"input_file_id": uploaded["id"], "endpoint": line["url"]}
        (fault,) = gateway.http.post("/v1/batches", json=order).json()["errors"]["data"]
        place, _, message = fault["message"].partition("(")
        assert place.startswith("line 1"), fault
        return message.replace("): ", ": ", 1), fault["param"]

    return ask


def a1111(gateway: RunningGateway) -> Ask:
    """``/sdapi/v1``, whose errors have only a message."""

    def ask(body: dict[str, Any]) -> Told:
        route = "img2img" if "init_images" in body else "txt2img"
        message = gateway.http.post(f"/sdapi/v1/{route}", json=body).json()["detail"]
        return message, message.partition(":")[0]

    return ask


def replicate(gateway: RunningGateway) -> Ask:
    """``/v1/predictions``."""

    def ask(body: dict[str, Any]) -> Told:
        asked = {"version": "winepress/vignette", "input": body}
        told = gateway.http.post("/v1/predictions", json=asked).json()
        return told["detail"], told["field"]

    return ask


#: Names that a dialect does not know, and ignores with a warning.
_UNKNOWN: dict[Callable[[RunningGateway], Ask], set[str]] = {
    a1111: {"output_compression", "stop_at_clip_layer"},
    replicate: {
        *(_OTHERS.keys() - {"size"}),
        *(n for n, ours in ALIASES.items() if ours == "model"),
    },
}


@pytest.mark.parametrize("dialect", [native, openai, openai_batch, a1111, replicate])
def test_an_error_names_the_field_that_the_client_has_sent(
    gateway: RunningGateway, dialect: Callable[[RunningGateway], Ask]
) -> None:
    """At the beginning of the message, and where programs read it."""
    ask, unknown = dialect(gateway), _UNKNOWN.get(dialect, set())
    told = {
        name: ask(body_with(name, value)) for name, value in _CASES.items() if name not in unknown
    }
    wrong = {name: one for name, one in told.items() if not _names(one, name)}
    assert wrong == {}


def _names(told: Told, name: str) -> bool:
    message, field = told
    return message.startswith(f"{field}:") and name in field.split(", ")


def test_what_decides_a_field_that_was_not_sent_is_named_instead(gateway: RunningGateway) -> None:
    """A model cannot do what is asked for, or a header belongs to another job."""
    of_openai = {"prompt": "an apple", "model": "vignette-inpaint"}
    error = gateway.http.post("/v1/images/generations", json=of_openai).json()["error"]
    assert error["param"] == "model"
    of_replicate = {"version": "vignette-inpaint", "input": {"prompt": "an apple"}}
    found = gateway.http.post("/v1/predictions", json=of_replicate).json()
    assert found["field"] == "version"
    settings = {"sd_model_checkpoint": "vignette-inpaint"}
    of_a1111 = {"prompt": "an apple", "override_settings": settings}
    detail = gateway.http.post("/sdapi/v1/txt2img", json=of_a1111).json()["detail"]
    assert detail.startswith("sd_model_checkpoint:")
    sides = gateway.http.post("/v1/jobs", json={"prompt": "an apple", "size": "65x256"}).json()
    assert "got '65x256'" in sides["detail"]


def test_inputs_that_the_version_decides_are_not_dropped_in_silence(
    gateway: RunningGateway,
) -> None:
    """A prediction's model and precision are those of its version."""
    asked = {"prompt": "an apple", "precision": "int8", "model": "sdxl-turbo"}
    body = {"version": "winepress/vignette", "input": asked}
    logs = gateway.http.post("/v1/predictions", json=body).json()["logs"]
    assert all(f"{name} is ignored" in logs for name in ("precision", "model"))
