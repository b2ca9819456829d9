"""Signatures of messages, by Standard Webhooks, and the secrets that make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from winepress_shared.documents import Moment, read_document
from winepress_shared.stores.base import Store

ROTATION_S = 24 * 3600  #: for this long after a rotation the former secret signs too
_PREFIX = "whsec_"
_SECRET_BYTES = 32
_MOST_BYTES = 4096  #: of the object with the secrets of a user
_MOST_FORMER = 8

_Secret = Annotated[str, StringConstraints(pattern=r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}$")]


class _Former(BaseModel):
    model_config = ConfigDict(strict=True)
    secret: _Secret
    until: Moment  #: it signs


class _SecretsDocument(BaseModel):
    model_config = ConfigDict(strict=True)
    secret: _Secret
    former: Annotated[list[_Former], Field(max_length=_MOST_FORMER)] = []


@dataclass(frozen=True)
class WebhookSecrets:
    """The secrets of one user that sign now; the newest first."""

    secrets: tuple[str, ...] = field(repr=False)

    @property
    def current(self) -> str:
        """The one to give to receivers."""
        return self.secrets[0]

    def headers(self, message_id: str, body: bytes) -> dict[str, str]:
        """The headers that prove to a receiver who sent ``body``, and when."""
        at = int(time.time())
        signatures = (_signature(secret, message_id, at, body) for secret in self.secrets)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(signatures),
        }


def _signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def read_secrets(store: Store, owner: str) -> WebhookSecrets:
    """The secrets of a user, made at first use; raises FailForGood if their object is damaged."""
    key, now = _key(owner), time.time()
    if store.head(key) is None:
        store.put_new(key, _encode(_SecretsDocument(secret=_new_secret())))
    document = _read(store, key)
    former = (one.secret for one in reversed(document.former) if one.until > now)
    return WebhookSecrets((document.secret, *former))


def rotate_secret(store: Store, owner: str) -> WebhookSecrets:
    """Make a new secret; the former one signs too for `ROTATION_S`."""
    read_secrets(store, owner)
    key, now = _key(owner), time.time()
    old = _read(store, key)
    former = [one for one in old.former if one.until > now]
    former.append(_Former(secret=old.secret, until=now + ROTATION_S))
    new = _SecretsDocument(secret=_new_secret(), former=former[-_MOST_FORMER:])
    store.put(key, _encode(new), content_type="application/json")
    return read_secrets(store, owner)


def _key(owner: str) -> str:
    return f"gateway/webhooks/secrets/{owner}.json"


def _new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _encode(document: _SecretsDocument) -> bytes:
    return json.dumps(document.model_dump()).encode()


def _read(store: Store, key: str) -> _SecretsDocument:
    data = store.get(key, most=_MOST_BYTES)
    return read_document(_SecretsDocument, data, "the object with the webhook secrets")
