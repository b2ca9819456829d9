"""Clients of OpenAI's API that need an environment of their own, on a real farm."""

from __future__ import annotations

import httpx
from support.foreign_clients import driven, needs, needs_node
from support.running_gateway import RunningGateway


def is_picture(url: str) -> bool:
    """Whether a link opens a PNG without any key."""
    return httpx.get(url, trust_env=False).content.startswith(b"\x89PNG")


@needs("openai")
def test_litellm_draws(gateway: RunningGateway) -> None:
    """Links for one name of OpenAI, the picture itself for another."""
    found = driven("openai", "drive_litellm.py", gateway.url)
    assert all(map(is_picture, found["urls"]))
    assert (len(found["urls"]), found["begins"]) == (2, "ffd8")


@needs("openai")
def test_langchains_wrapper_of_dall_e_draws(gateway: RunningGateway) -> None:
    """It reads nothing but links, and asks for none."""
    urls = driven("openai", "drive_langchain.py", gateway.url)
    assert len(urls) == 2
    assert all(map(is_picture, urls))


@needs_node
def test_openais_client_for_javascript_draws(gateway: RunningGateway) -> None:
    """Pictures, an edit, a stream, a batch, the list of models, and an error."""
    found = driven("node", "drive_openai.mjs", gateway.url)
    assert (found["begins"], found["edited"], found["batch"]) == ("PNG", 1, "one")
    assert found["events"][-1] == "image_generation.completed"
    assert set(found["events"][:-1]) <= {"image_generation.partial_image"}
    assert found["code"] == "model_not_found"
    assert {"vignette", "gpt-image-1"} <= set(found["models"])


@needs_node
def test_the_ai_sdk_draws(gateway: RunningGateway) -> None:
    """It always asks for the picture itself."""
    assert driven("node", "drive_ai_sdk.mjs", gateway.url) == ["PNG", "PNG"]
