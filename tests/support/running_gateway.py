"""A gateway that serves a test's farm over real HTTP, in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from typing import Any, Self

import httpx
import uvicorn

from winepress.gateway.server import address_of, listen, make_server
from winepress_shared.settings import Settings

_PATIENCE_S = 60


class RunningGateway:
    """A gateway on a free port while its ``with`` block runs; ``http`` is a client of it."""

    def __init__(self, settings: Settings, port: int = 0) -> None:
        self.settings = settings
        self._server: uvicorn.Server = make_server(settings)
        self._listener = listen("127.0.0.1", port)
        self.url = address_of(self._listener)
        self.http = httpx.Client(base_url=self.url, timeout=_PATIENCE_S, trust_env=False)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="gateway"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + _PATIENCE_S
        while not self._server.started:
            assert time.monotonic() < deadline, "the gateway did not start"
            assert self._thread.is_alive(), "the gateway ended at its start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(_PATIENCE_S)
        self._listener.close()
        assert not self._thread.is_alive(), "the gateway did not stop"

    @property
    def requests(self) -> int:
        """How many requests are in hand."""
        return len(self._server.server_state.tasks)

    def submit(self, **fields: Any) -> dict[str, Any]:
        """Submit a job in the native dialect; returns the answer."""
        answer = self.http.post("/v1/jobs", json={"prompt": "a red apple"} | fields)
        assert answer.status_code in (200, 202), answer.text
        found: dict[str, Any] = answer.json()
        return found
