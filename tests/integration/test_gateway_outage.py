"""A gateway whose broker or store is away: each dialect says so, and nothing of the inside."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.dialects import DRAWING
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer, serving_s3

from winepress_shared.settings import Settings

_PROMPT = {"prompt": "a red apple"}


def _check_answers(gateway: RunningGateway, said: str) -> None:
    """Every dialect says ``said``, and nothing of the inside."""
    for spoken in DRAWING:
        answer = gateway.http.post(spoken.path, json=spoken.body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), spoken.path
        code, message = spoken.told(answer.json())
        assert (code, said in message) == ("farm-unreachable", True), answer.text
        assert "://" not in answer.text
        assert "`winepress" not in answer.text


def test_each_dialect_says_that_the_broker_is_away_and_when_to_come_again(tmp_path: Path) -> None:
    """503 and Retry-After; no address of a server, no command of an operator."""
    with ValkeyServer(tmp_path) as server:
        settings = Settings(broker_url=SecretStr(server.url), store_folder=tmp_path / "store")
        with RunningGateway(settings) as gateway:
            ManualWorker(settings).live(LANE)
            assert gateway.submit()["state"] == "queued"
            server.kill()
            _check_answers(gateway, "broker does not answer")


def test_each_dialect_says_that_the_store_is_away_and_nothing_is_queued(
    farm_settings: Settings, manual_worker: ManualWorker, tmp_path: Path
) -> None:
    """The same; what got a place in the queue loses it again."""
    manual_worker.live(LANE)
    with ExitStack() as stack:
        server = stack.enter_context(serving_s3(tmp_path))
        own = {"farm": farm_settings.farm, "broker_url": farm_settings.broker_url}
        with RunningGateway(server.settings(**own)) as gateway:
            stack.close()
            _check_answers(gateway, "store does not answer")
            assert gateway.http.get("/v1/jobs").json()["jobs"] == []


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
