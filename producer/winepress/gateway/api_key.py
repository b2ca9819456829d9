"""Keys of the gateway: who holds one is a user with certain rights and limits."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from winepress.gateway.access import Caller, KeyLimits, Scope
from winepress.gateway.refusals import Unauthorized
from winepress_shared.documents import Moment
from winepress_shared.jobs.model_options import ModelName

DEFAULT_SCOPES = frozenset({Scope.SUBMIT, Scope.READ_OWN})
MAX_QUEUE = 100_000  #: most units of a queue limit; the ledger counts their jobs one by one
KEY_ID = r"^[0-9a-f]{12}$"
_SECRET_BYTES = 32
_ID_BYTES = 6
_TOKEN = re.compile(r"wp_([0-9a-f]{12})_([0-9a-f]{64})")
#: Without "@", which separates a user's own users, and so short that their names fit behind it.
_USER = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,38}[A-Za-z0-9])?$"
USER_RULE = "1 to 40 letters, digits and ._-, a letter or digit at both ends"


@dataclass(frozen=True)
class Token:
    """What a user shows: ``wp_ID_SECRET``. ``str`` of it is the whole, ``repr`` is not."""

    PREFIX: ClassVar[str] = "wp_"

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> Token:
        """A token that nobody has."""
        return cls(secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """The token that a text is; None if it is none."""
        found = _TOKEN.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.PREFIX}{self.id}_{self.secret}"

    @property
    def digest(self) -> str:
        """What is stored of it.

        The secret has 256 random bits, so nobody can try them all, however fast the hash is. A
        slow hash protects passwords, which are guessed from lists, and would cost every request.
        """
        return hashlib.sha256(self.secret.encode()).hexdigest()


class ApiKey(BaseModel):
    """``gateway/keys/ID.json``; whoever may write to the store decides what is in it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    version: Literal[1] = 1
    id: Annotated[str, Field(pattern=KEY_ID)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    user: Annotated[str, Field(pattern=_USER)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = DEFAULT_SCOPES
    models: Annotated[frozenset[ModelName], Field(min_length=1, max_length=1000)] | None = None
    rate: Annotated[int, Field(ge=1, le=1_000_000)] | None = None  #: requests in a minute
    queue: Annotated[int, Field(ge=1, le=MAX_QUEUE)] | None = None  #: units that have not ended
    megapixel_steps: Annotated[float, Field(gt=0, le=1e12)] | None = None  #: in a day of UTC
    created: Moment
    expires: Moment | None = None
    revoked: Moment | None = None
    note: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""

    def state(self, now: float | None = None) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        moment = time.time() if now is None else now
        return "expired" if self.expires is not None and self.expires <= moment else "valid"

    def check(self, token: Token) -> None:
        """Raise Unauthorized unless the token is the one of this key, and still valid."""
        if not hmac.compare_digest(self.digest, token.digest):
            raise not_valid()
        state = self.state()
        if state != "valid":
            raise Unauthorized(f"this key is {state}", hint="Ask the operator for another one")

    @property
    def caller(self) -> Caller:
        """The caller that shows this key."""
        limits = KeyLimits(self.rate, self.queue, self.megapixel_steps)
        return Caller(self.user, self.scopes, self.models, self.id, limits)


def not_valid() -> Unauthorized:
    """The error for a key that does not exist; the same for a wrong secret."""
    return Unauthorized("this key is not valid", hint="`winepress keys list` shows those there are")
