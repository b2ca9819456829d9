"""The secrets of a farm: drawn once, kept in one private file."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from winepress_deploy.private_file import write_private
from winepress_shared.errors import WrongUsage

_SECRET_BYTES = 24
_KEY_ID_BYTES = 10


def _secret() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(_SECRET_BYTES))


class Credentials(BaseModel):
    """What the services of one farm accept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker_password: SecretStr = Field(default_factory=_secret)
    s3_access_key_id: str = Field(default_factory=lambda: secrets.token_hex(_KEY_ID_BYTES))
    s3_secret_access_key: SecretStr = Field(default_factory=_secret)
    #: Signs what SeaweedFS's own parts ask of each other; without it they would ask nobody.
    store_signing_key: SecretStr = Field(default_factory=_secret)
    flower_password: SecretStr = Field(default_factory=_secret)

    @classmethod
    def keep(cls, path: Path) -> Self:
        """Read them from ``path``, drawing those it lacks; raises WrongUsage on a broken file."""
        try:
            known = json.loads(path.read_text("utf-8")) if path.exists() else {}
            found = cls(**known)
        except (OSError, ValueError, TypeError):
            raise WrongUsage(
                "the farm's credentials cannot be read",
                value=str(path),
                hint="Restore the file, or remove the state folder to begin anew",
            ) from None
        values = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in found
        }
        if values != known:
            write_private(path, json.dumps(values, indent=2) + "\n")
        return found
