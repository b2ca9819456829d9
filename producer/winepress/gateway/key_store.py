"""The keys of the gateway in the store, so that a broker that loses its data loses no key."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from winepress.gateway.api_key import USER_RULE, ApiKey, Token
from winepress_shared.documents import read_document
from winepress_shared.errors import FailForGood, NotFound, ObjectMissing, ObjectTooLarge, WrongUsage
from winepress_shared.jobs.refusal import complaint_of
from winepress_shared.stores.base import Store

_FOLDER = "gateway/keys/"
_SUFFIX = ".json"
_MOST_BYTES = 256 * 2**10  #: of one object; a thousand names of models take 60 KiB

log = logging.getLogger(__name__)


class KeyStore:
    """The keys of one farm; methods block their thread, and raise StoreUnreachable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, user: str, **terms: Any) -> tuple[ApiKey, Token]:
        """A new key for a user, and the token that is shown this once.

        ``terms`` are fields of `ApiKey`. Raises WrongUsage for an invalid one.
        """
        token = Token.new()
        try:
            key = ApiKey(id=token.id, digest=token.digest, user=user, created=time.time(), **terms)
        except ValidationError as error:
            raise _refused(error, {"user": user} | terms) from None
        self._write(key)
        return key, token

    def find(self, key_id: str) -> ApiKey | None:
        """The key with this id; None if there is none, or if its object is damaged."""
        try:
            key = read_document(ApiKey, self._store.get(_name(key_id), most=_MOST_BYTES), key_id)
        except ObjectMissing:
            return None
        except (FailForGood, ObjectTooLarge) as error:
            log.warning("key %s is not used: %s", key_id, error)
            return None
        if key.id != key_id:
            log.warning("key %s is not used: its object has the name of another key", key_id)
            return None
        return key

    def all(self) -> Iterator[ApiKey]:
        """Every key, revoked ones too; damaged ones are logged and left out."""
        for stored in self._store.list(_FOLDER):
            key = self.find(stored.key.removeprefix(_FOLDER).removesuffix(_SUFFIX))
            if key is not None:
                yield key

    def has_valid_key(self) -> bool:
        """Whether anybody could show a valid key."""
        return any(key.state() == "valid" for key in self.all())

    def revoke(self, key_id: str) -> ApiKey:
        """End a key for good; it stays listed. Raises NotFound."""
        key = self.find(key_id)
        if key is None:
            raise NotFound(
                "there is no such key", value=key_id, hint="`winepress keys list` shows them"
            )
        if key.revoked is None:
            key = key.model_copy(update={"revoked": time.time()})
            self._write(key)
        return key

    def _write(self, key: ApiKey) -> None:
        data = key.model_dump_json(indent=1).encode()
        self._store.put(_name(key.id), data, content_type="application/json")


def _name(key_id: str) -> str:
    return f"{_FOLDER}{key_id}{_SUFFIX}"


def _refused(error: ValidationError, terms: Mapping[str, object]) -> WrongUsage:
    first = error.errors(include_url=False, include_input=False)[0]
    field = str(first["loc"][0])
    if field == "user":
        return WrongUsage("not a user", field=field, value=terms[field], allowed=USER_RULE)
    problem, allowed = complaint_of(first)
    return WrongUsage(problem, field=field, value=terms.get(field), allowed=allowed)
