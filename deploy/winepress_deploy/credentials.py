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

    #: Secrets by their name before the last rotation, which servers accept until they are retired.
    former: dict[str, str] = Field(default_factory=dict, repr=False)

    def of(self, role: Role) -> RoleKey:
        """The key of one role; Flower's gives no access to the store."""
        password, *of_store = (getattr(self, name) for name in _names(role))
        key_id, secret = of_store or ("", SecretStr(""))
        return RoleKey(password, key_id, secret)

    def accepted(self, role: Role) -> tuple[RoleKey, ...]:
        """The keys of a role that servers accept: its own, and the former one if there is one."""
        before = self.model_validate(self._texts() | self.former)
        return tuple(dict.fromkeys((self.of(role), before.of(role))))

    def rotated(self, role: Role) -> Self:
        """These with a new key for a role; raises WrongUsage while its former one is accepted."""
        names, fresh = _names(role), type(self)()
        if not self.former.keys().isdisjoint(names):
            raise WrongUsage(
                "the servers accept a former key of this role still",
                field="--rotate",
                value=role.value,
                hint="Give all of its programs the new one, then run this with --retire",
            )
        own = self._texts()
        former = {name: own[name] for name in names}
        update = {name: getattr(fresh, name) for name in names}
        return self.model_copy(update={**update, "former": self.former | former})

    def retired(self) -> Self:
        """These without the former keys."""
        return self.model_copy(update={"former": {}})

    def save(self, path: Path) -> None:
        """Write all of them."""
        former = {"former": self.former} if self.former else {}
        write_private(path, json.dumps(self._texts() | former, indent=2) + "\n")

    def _texts(self) -> dict[str, str]:
        own = ((name, value) for name, value in self if name != "former")
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in own
        }

    @classmethod
    def keep(cls, path: Path) -> Self:
        """Read them from ``path``, generating missing ones; raises WrongUsage if it is damaged."""
        try:
            known = json.loads(path.read_text("utf-8")) if path.exists() else {}
            found = cls(**known)
            cls.model_validate(found._texts() | found.former)  # their names are checked too
        except (OSError, ValueError, TypeError) as error:
            raise WrongUsage(
                f"the farm's credentials cannot be read: {_reason(error)}",
                value=str(path),
                hint="Correct the file; a secret removed from it is generated again",
            ) from None
        if not found._texts().keys() <= known.keys():
            found.save(path)
        return found


def _names(role: Role) -> tuple[str, ...]:
    """The fields of a role's key: its password for the broker; of the store the id, the secret."""
    if role is Role.OPERATOR:
        return ("broker_password", "s3_access_key_id", "s3_secret_access_key")
    if role is Role.FLOWER:
        return ("flower_broker_password",)
    return tuple(f"{role}_{part}" for part in ("broker_password", "s3_key_id", "s3_secret"))


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
