"""The secrets of a farm: generated once and kept in one private file."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from winepress_deploy.private_file import write_private
from winepress_deploy.roles import Role
from winepress_shared.errors import WrongUsage

_SECRET_BYTES = 24
_KEY_ID_BYTES = 10


def _secret() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(_SECRET_BYTES))


def _key_id() -> str:
    return secrets.token_hex(_KEY_ID_BYTES)


@dataclass(frozen=True)
class RoleKey:
    """The credentials of one role for the broker and the store."""

    broker_password: SecretStr
    s3_key_id: str
    s3_secret: SecretStr


class Credentials(BaseModel):
    """All credentials that the services of one farm accept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The operator's; the names are from farms before roles.
    broker_password: SecretStr = Field(default_factory=_secret)
    s3_access_key_id: str = Field(default_factory=_key_id)
    s3_secret_access_key: SecretStr = Field(default_factory=_secret)
    producer_broker_password: SecretStr = Field(default_factory=_secret)
    producer_s3_key_id: str = Field(default_factory=_key_id)
    producer_s3_secret: SecretStr = Field(default_factory=_secret)
    gateway_broker_password: SecretStr = Field(default_factory=_secret)
    gateway_s3_key_id: str = Field(default_factory=_key_id)
    gateway_s3_secret: SecretStr = Field(default_factory=_secret)
    worker_broker_password: SecretStr = Field(default_factory=_secret)
    worker_s3_key_id: str = Field(default_factory=_key_id)
    worker_s3_secret: SecretStr = Field(default_factory=_secret)
    flower_broker_password: SecretStr = Field(default_factory=_secret)
    #: Signs the requests between SeaweedFS's own parts, which would otherwise check nothing.
    store_signing_key: SecretStr = Field(default_factory=_secret)
    flower_password: SecretStr = Field(default_factory=_secret)

    def of(self, role: Role) -> RoleKey:
        """The key of one role; Flower's gives no access to the store."""
        none = SecretStr("")
        return {
            Role.OPERATOR: RoleKey(
                self.broker_password, self.s3_access_key_id, self.s3_secret_access_key
            ),
            Role.PRODUCER: RoleKey(
                self.producer_broker_password, self.producer_s3_key_id, self.producer_s3_secret
            ),
            Role.GATEWAY: RoleKey(
                self.gateway_broker_password, self.gateway_s3_key_id, self.gateway_s3_secret
            ),
            Role.WORKER: RoleKey(
                self.worker_broker_password, self.worker_s3_key_id, self.worker_s3_secret
            ),
            Role.FLOWER: RoleKey(self.flower_broker_password, "", none),
        }[role]

    @classmethod
    def keep(cls, path: Path) -> Self:
        """Read them from ``path``, generating missing ones; raises WrongUsage if it is damaged."""
        try:
            known = json.loads(path.read_text("utf-8")) if path.exists() else {}
            found = cls(**known)
        except (OSError, ValueError, TypeError) as error:
            raise WrongUsage(
                f"the farm's credentials cannot be read: {_reason(error)}",
                value=str(path),
                hint="Correct the file; a secret removed from it is generated again",
            ) from None
        values = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in found
        }
        if values != known:
            write_private(path, json.dumps(values, indent=2) + "\n")
        return found


def _reason(error: Exception) -> str:
    """What is wrong with the file, without anything of its secrets."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON, at line {error.lineno}"
    if isinstance(error, ValidationError):
        names = ", ".join(str(fault["loc"][0]) for fault in error.errors(include_input=False))
        return f"unknown names, or values that are not text: {names}"
    if isinstance(error, OSError):
        return str(error.strerror)
    return "no table of names and texts in UTF-8"
