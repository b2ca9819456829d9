"""The door of the gateway: a request of any dialect, without a network, before a real broker."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import Message
from support.servers import ValkeyServer

from fuzz.door import Enter
from winepress.gateway.app import make_app
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

_ANSWER_S = 120.0  #: longest for an answer that nobody works on
_MOST_REFUSAL_BYTES = 2**21  #: in JSON; some list the faults of many lines
_MOST_UNITS = 1000  #: of the farm; then it refuses, as it refuses everybody
_METHODS = ("POST", "PUT", "PATCH", "DELETE")


@contextmanager
def gateway(folder: Path) -> Iterator[Enter]:
    """Open the door: an input is ``METHOD PATH TYPE``, a line break and a body."""
    os.fsync = lambda fd: None  # this process does nothing else
    socket.getaddrinfo = _looked_up
    tempfile.tempdir = str(folder)
    with ValkeyServer(folder) as valkey, asyncio.Runner() as runner:
        settings = Settings(
            broker_url=SecretStr(valkey.url), store_folder=folder / "store", home=folder / "home"
        )
        app = make_app(settings)
        ready, done = asyncio.Event(), asyncio.Event()
        serving = runner.get_loop().create_task(_serve(app, ready, done))
        runner.run(ready.wait())
        try:
            yield lambda data: runner.run(_answer(app, data))
        finally:
            done.set()
            runner.get_loop().run_until_complete(serving)


async def _serve(app: FastAPI, ready: asyncio.Event, done: asyncio.Event) -> None:
    async with app.router.lifespan_context(app):
        client = app.state.gateway.client
        await client.in_thread(client.client.farm.set_limits, {"queue_limit": _MOST_UNITS})
        ready.set()
        await done.wait()


def _looked_up(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
    """No input makes a name server be asked."""
    if host not in ("127.0.0.1", "localhost", b"127.0.0.1"):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port or 0)))]


async def _answer(app: FastAPI, data: bytes) -> object:
    """Raise WrongUsage for a refusal, and AssertionError for a fault of the gateway's own."""
    head, _, body = data.partition(b"\n")
    method, path, kind = (*head.decode("latin-1").split(" ", 2), "", "")[:3]
    if method not in _METHODS or not path.startswith("/") or not path.isascii():
        raise WrongUsage("not a request")
    sent: list[Message] = []
    to_receive: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return to_receive.pop() if to_receive else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(_ANSWER_S):
        await app(_scope(method, path, kind, len(body)), receive, send)
    status = sent[0]["status"] if sent else 0
    answer = b"".join(one.get("body", b"") for one in sent)
    if status == 503 and b"no-worker" in answer:
        return status  # it was read to its end, and nobody works here
    assert 200 <= status < 500, f"status {status}: {answer[:300]!r}"
    if status >= 400:
        assert len(answer) < _MOST_REFUSAL_BYTES, f"a refusal of {len(answer)} bytes"
        raise WrongUsage(f"status {status}")
    return status


def _scope(method: str, target: str, kind: str, size: int) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"accept", b"application/json, text/event-stream"),
            (b"content-type", kind.encode("latin-1")),
            (b"content-length", str(size).encode()),
        ],
        "client": ("127.0.0.1", 9),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
