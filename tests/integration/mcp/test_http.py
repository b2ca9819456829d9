"""The tools over streamable HTTP, at the gateway, with its keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection
from typing import Any

import httpx2
import pytest
from integration.mcp.test_tools import png, text_of
from mcp.client.client import Client as Assistant
from mcp.client.client import ConnectMode
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from support.manual_worker import LANE, ManualWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress import Client
from winepress.gateway.access import Scope
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

_HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
_LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture
def locked(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway that asks everybody for a key."""
    settings = farm_settings.model_copy(update={"require_keys": True})
    with RunningGateway(settings) as one:
        yield one


def key_of(settings: Settings, user: str, **terms: Any) -> dict[str, str]:
    """The header that shows a new key."""
    _, token = KeyStore(open_store(settings)).create(user, **terms)
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def connected(
    gateway: RunningGateway, mode: ConnectMode = "auto", headers: dict[str, str] | None = None
) -> AsyncIterator[Assistant]:
    """The SDK's client of a gateway."""
    async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
        transport = streamable_http_client(f"{gateway.url}/mcp", http_client=http)
        async with Assistant(transport, mode=mode) as assistant:
            yield assistant


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_picture_is_drawn_over_http(
    gateway: RunningGateway, working: ManualWorker, mode: ConnectMode
) -> None:
    """Its link opens at the gateway without a key; the progress is told on the way."""
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async def run() -> dict[str, Any]:
        async with connected(gateway, mode) as assistant:
            assert len((await assistant.list_tools()).tools) == 7
            drawn = await assistant.call_tool(
                "generate_image", {"prompt": "x", "n": 2}, progress_callback=hear
            )
            assert not drawn.is_error, text_of(drawn)
            picture = (drawn.structured_content or {})["outputs"][0]["picture"]
            edited = await assistant.call_tool("edit_image", {"prompt": "x", "image": picture})
            assert not edited.is_error, text_of(edited)
            return drawn.structured_content or {}

    answer = asyncio.run(run())
    link = answer["outputs"][1]["link"]
    assert link.startswith(f"{gateway.url}/v1/jobs/{answer['job_id']}/outputs/")
    assert gateway.http.get(link).content.startswith(b"\x89PNG")
    assert told == sorted(set(told))
    assert told


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_key_sees_and_cancels_its_own_jobs_alone(
    locked: RunningGateway, client: Client, mode: ConnectMode
) -> None:
    """Another key's job is not found, nor is its picture."""
    ann, bob = (key_of(locked.settings, user) for user in ("ann", "bob"))

    async def run() -> None:
        async with connected(locked, mode, ann) as assistant:
            begun = await assistant.call_tool("generate_image", {"prompt": "x", "wait_s": 0})
            job_id = (begun.structured_content or {})["job_id"]
        async with connected(locked, mode, bob) as assistant:
            for tool in ("job_status", "wait", "cancel"):
                refused = await assistant.call_tool(tool, {"job_id": job_id})
                assert refused.is_error
                assert "no such job" in text_of(refused)
            refused = await assistant.call_tool("edit_image", {"prompt": "x", "image": job_id})
            assert "no such job" in text_of(refused)
        assert client.get(job_id).status().user == "ann"
        async with connected(locked, mode, ann) as assistant:
            canceled = await assistant.call_tool("cancel", {"job_id": job_id})
            assert (canceled.structured_content or {})["state"] == "canceled"

    asyncio.run(run())


def test_rights_and_models_of_a_key_hold(
    locked: RunningGateway, manual_worker: ManualWorker
) -> None:
    """What a key may not do is an error of the tool; models that it lacks are not listed."""
    manual_worker.live(LANE, "tiny-sd.fp16")
    reads = key_of(locked.settings, "ann", scopes=frozenset({Scope.READ_OWN}))
    submits = key_of(
        locked.settings, "eve", scopes=frozenset({Scope.SUBMIT}), models=frozenset({"tiny-sd"})
    )

    async def run() -> None:
        async with connected(locked, headers=reads) as assistant:
            refused = await assistant.call_tool("generate_image", {"prompt": "x"})
            assert "may not submit jobs" in text_of(refused)
        async with connected(locked, headers=submits) as assistant:
            listed = await assistant.call_tool("list_models", {})
            assert [one["name"] for one in (listed.structured_content or {})["models"]] == [
                "tiny-sd"
            ]
            asked = {"prompt": "x", "wait_s": 0}
            begun = await assistant.call_tool("generate_image", asked)
            assert "lane tiny-sd.fp16" in text_of(begun)
            refused = await assistant.call_tool("generate_image", asked | {"model": "vignette"})
            assert "does not allow this model" in text_of(refused)

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_nobody_gets_in_without_a_valid_key(locked: RunningGateway, mode: ConnectMode) -> None:
    """401, in JSON-RPC's form with our code."""
    answer = locked.http.post("/mcp", json=_LIST, headers=_HEADERS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["data"]["code"] == "unauthorized"

    async def run() -> None:
        async with connected(locked, mode, {"Authorization": "Bearer wp_no"}) as assistant:
            await assistant.list_tools()

    with pytest.raises((MCPError, httpx2.HTTPError, ExceptionGroup)):
        asyncio.run(run())


def test_the_page_of_a_stranger_calls_no_tool(gateway: RunningGateway) -> None:
    """Neither from its own origin, nor under a name that it made mean this machine."""
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        answer = gateway.http.post("/mcp", json=_LIST, headers=_HEADERS | headers)
        assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (403, "forbidden")


def _answer_to_length(gateway: RunningGateway, length: int) -> tuple[int, str]:
    """Status and code of the answer to a body that is only announced."""
    connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)
    with closing(connection):
        connection.putrequest("POST", "/mcp")
        for name, value in (_HEADERS | {"Content-Length": str(length)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["error"]["data"]["code"]


def test_what_is_no_call_is_refused_in_the_form_of_json_rpc(gateway: RunningGateway) -> None:
    """Other methods, other paths, bodies that are too large or no JSON."""
    for method in ("GET", "DELETE", "PUT"):
        answer = gateway.http.request(method, "/mcp", headers=_HEADERS)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    answer = gateway.http.get("/mcp/sse")
    assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (404, "no-such-route")
    assert _answer_to_length(gateway, 2**40) == (413, "body-too-large")
    for version in ("2025-11-25", "2026-07-28"):
        headers = _HEADERS | {"MCP-Protocol-Version": version}
        for body in (b"", b"[", b"[]", b"1" * 5000, b"[" * 100_000, b'{"jsonrpc": "2.0"}'):
            answer = gateway.http.post("/mcp", content=body, headers=headers)
            assert (answer.status_code, answer.json()["jsonrpc"]) == (400, "2.0"), body[:20]


def test_embedded_pictures_of_many_megabytes_arrive(
    gateway: RunningGateway, working: ManualWorker
) -> None:
    """The limit is the one of the gateway, and not the four megabytes of the SDK."""

    async def run() -> None:
        async with connected(gateway) as assistant:
            padded = png() + "\n" * 6_000_000
            edited = await assistant.call_tool("edit_image", {"prompt": "x", "image": padded})
            assert not edited.is_error, text_of(edited)

    asyncio.run(run())


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_a_client_that_leaves_does_not_stop_its_job(
    gateway: RunningGateway, manual_worker: ManualWorker, client: Client, version: str
) -> None:
    """Its call ends in the gateway, and the job is drawn."""
    manual_worker.live(LANE)
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "generate_image", "arguments": {"prompt": "x"}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    routing = {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call"}
    headers = _HEADERS | routing | {"Mcp-Name": "generate_image"}

    async def leave() -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            call = asyncio.create_task(http.post(f"{gateway.url}/mcp", json=body, headers=headers))
            await asyncio.to_thread(manual_worker.await_ticket, LANE)
            call.cancel()

    asyncio.run(leave())
    wait_until(lambda: gateway.requests == 0)
    (row,) = client.list()
    assert row.state == "queued"
    manual_worker.work(LANE)
    assert client.get(row.id).status().state == "succeeded"
