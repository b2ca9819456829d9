"""The newest jobs as they were written into the store, kept until its disk surely has them.

The broker confirms that its disk has an accepted job; a store confirms nothing of the kind. So
with ``durability = disk`` the broker also keeps ``job.json`` of the newest jobs. A worker that
finds none in the store reads it here, and `winepress recover` puts it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings

_KEPT = 2_000  #: jobs; at full speed one client submits as many in five seconds
_MOST_BYTES = 16_384  #: a longer ``job.json`` is not kept, so all together need 32 MiB at most
_PAGE = 100


class WrittenJobs:
    """Keeps and finds texts of ``job.json``; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer) -> None:
        self._key = f"{settings.farm}:written"
        self._server = server

    def keep(self, texts: Mapping[str, bytes]) -> None:
        """Keep the texts of jobs, by id, in one round trip."""
        with self._server.reaching():
            pipe = self._server.client.pipeline(transaction=True)
            for job_id, text in texts.items():
                if len(text) <= _MOST_BYTES:
                    entry = {"job": job_id, "text": text}
                    pipe.xadd(self._key, entry, maxlen=_KEPT, approximate=True)  # type: ignore[arg-type]
            pipe.execute()

    def find(self, job_id: str) -> bytes | None:
        """The text of a job; None if it is not kept."""
        return next((text for found, text in self.all() if found == job_id), None)

    def all(self) -> Iterator[tuple[str, bytes]]:
        """Every job that is kept, with its text, newest first."""
        last = "+"
        while True:
            with self._server.reaching():
                page = cast(
                    "list[tuple[str, dict[str, str]]]",
                    self._server.client.xrevrange(self._key, last, "-", _PAGE),
                )
            for _, row in page:
                yield row.get("job", ""), row.get("text", "").encode("utf-8", "replace")
            if len(page) < _PAGE:
                return
            last = f"({page[-1][0]}"
