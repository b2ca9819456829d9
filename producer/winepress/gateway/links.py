"""Links to outputs on the gateway's own origin, which a browser can follow without a key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from urllib.parse import urlencode

from winepress.client import Client
from winepress.gateway.refusals import Forbidden

LINK_S = 24 * 3600  #: lifetime of a link
_OBJECT = "gateway/link-secret"  #: object of the store, so that all gateways share it
_SECRET_BYTES = 32


def read_link_secret(client: Client) -> bytes:
    """The secret that signs the farm's links, made at first use; blocks its thread."""
    store = client.archive.store
    store.put_new(_OBJECT, secrets.token_bytes(_SECRET_BYTES))
    return store.get(_OBJECT, most=_SECRET_BYTES)


class Links:
    """Signs links to the outputs of jobs, and checks them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "Links()"

    def query(self, job_id: str, name: str, life_s: float = LINK_S) -> str:
        """The query string that opens the output ``name`` of a job for ``life_s`` seconds."""
        until = int(time.time() + life_s)
        return urlencode({"until": until, "signature": self._signature(job_id, name, until)})

    def path(self, job_id: str, name: str) -> str:
        """The path of the output ``name`` of a job on any gateway; it opens for `LINK_S`."""
        return f"/v1/jobs/{job_id}/outputs/{name}?{self.query(job_id, name)}"

    def check(self, job_id: str, name: str, until: str, signature: str) -> None:
        """Raise Forbidden unless the query string of a link is valid and has not expired."""
        moment = int(until) if until.isdecimal() and len(until) <= 12 else 0
        expected = self._signature(job_id, name, moment)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            raise Forbidden("this link is not valid", hint="Ask for the results of the job again")
        if moment < time.time():
            raise Forbidden("this link has expired", hint="Ask for the results of the job again")

    def _signature(self, job_id: str, name: str, until: int) -> str:
        text = f"{job_id}/{name}?{until}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
