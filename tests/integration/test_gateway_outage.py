"""A gateway whose broker is away: each dialect says so in its form, and nothing of the inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer

from winepress_shared.settings import Settings

_PROMPT = {"prompt": "a red apple"}


def _told_by_openai(answer: dict[str, Any]) -> str:
    assert answer["error"]["type"] == "server_error"
    text: str = answer["error"]["message"]
    return text


def _told_by_a1111(answer: dict[str, Any]) -> str:
    text: str = answer["errors"]
    return text


def _told_by_problem(answer: dict[str, Any]) -> str:
    assert answer["code"] == "farm-unreachable"
    text: str = answer["detail"]
    return text


def test_each_dialect_says_that_the_farm_is_away_and_when_to_come_again(tmp_path: Path) -> None:
    """503 and Retry-After; no address of a server, no command of an operator."""
    with ValkeyServer(tmp_path) as server:
        settings = Settings(broker_url=SecretStr(server.url), store_folder=tmp_path / "store")
        with RunningGateway(settings) as gateway:
            ManualWorker(settings).live(LANE)
            assert gateway.submit()["state"] == "queued"
            server.kill()
            for path, body, told in (
                ("/v1/jobs", _PROMPT, _told_by_problem),
                ("/v1/images/generations", _PROMPT, _told_by_openai),
                ("/sdapi/v1/txt2img", _PROMPT, _told_by_a1111),
                ("/v1/predictions", {"version": "vignette", "input": _PROMPT}, _told_by_problem),
            ):
                answer = gateway.http.post(path, json=body)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
                assert "broker does not answer" in told(answer.json())
                assert "redis://" not in answer.text
                assert "`winepress" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/v1/jobs/j123/cancel", 404, "no such job"),
        ("/images/generations", 404, "Did you mean /v1/images/generations?"),
        ("/v1/models/stability-ai/sdxl/predictions", 404, "winepress/NAME"),
    ],
)
def test_what_is_not_there_is_told_to_somebody_outside(
    farm_settings: Settings, manual_worker: ManualWorker, path: str, status: int, text: str
) -> None:
    """In the form of the dialect that was meant, without advice for operators."""
    with RunningGateway(farm_settings) as gateway:
        answer = gateway.http.post(path, json=_PROMPT)
    assert (answer.status_code, text in answer.text) == (status, True), answer.text
    assert "`winepress" not in answer.text
    assert ("error" in answer.json()) == path.startswith("/images")
