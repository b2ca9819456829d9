"""Requests that a client sends again because it did not hear the answer."""

from __future__ import annotations

import hashlib

from fastapi import Request

from winepress.client import Client
from winepress_shared.ledger.repeats import MAX_REPETITIONS, new_note


def repetition_of(request: Request) -> int | None:
    """How often the client has sent this request before; None for clients that do not tell."""
    told = request.headers.get("x-stainless-retry-count", "")
    if not (told.isascii() and told.isdecimal() and len(told) < 5):
        return None
    return min(int(told), MAX_REPETITIONS)


def digest_of(*parts: bytes | str) -> str:
    """A digest of what a request asks for."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:40]


def note_of(client: Client, user: str, digest: str, key: str | None, told: int | None) -> str:
    """A note that a request shares with its repetitions; blocks its thread.

    ``key`` is the client's idempotency key, ``told`` what `repetition_of` found.
    """
    if key:
        return client.repeats.note_of_key(user, digest_of("key", key))
    return new_note() if told is None else client.repeats.note_of(user, digest, told)
