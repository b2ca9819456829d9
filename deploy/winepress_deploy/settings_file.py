"""Writes the settings of a farm as the TOML file that its workers and producers read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from winepress_deploy.broker_roles import url_of
from winepress_deploy.credentials import Credentials
from winepress_deploy.private_file import write_private
from winepress_deploy.roles import STORE_ROLES, Role
from winepress_deploy.state_folder import configured_state
from winepress_shared.errors import WrongUsage
from winepress_shared.network_address import is_loopback
from winepress_shared.regular_file import read_regular
from winepress_shared.settings import Limits, Settings
from winepress_shared.toml_text import parse_toml

_USER_FILE = Path("winepress.toml")
_MAX_FILE_BYTES = 2**20
#: If the user sets any of these, the farm uses an existing store.
_STORE_FIELDS = frozenset({"s3_endpoint", "s3_access_key_id", "store_folder"})
#: `winepress up` sets these itself, or the broker keeps them.
_NOT_THE_USERS = frozenset(
    {
        *("broker_url", "durability", "s3_endpoint", "s3_access_key_id", "s3_secret_access_key"),
        *Limits.model_fields,
    }
)


def user_settings(own_file: Path, environ: Mapping[str, str], *, alone: bool = False) -> Settings:
    """The user's settings for a farm; raises WrongUsage.

    They are in the file that ``WINEPRESS_CONFIG`` names, else in ``winepress.toml`` in the working
    folder, and in variables. Files that `winepress up` wrote are passed over: those of this farm's
    last run, and those of another farm, whose servers this one would write to.
    ``alone`` keeps only the folder of the prepared models.
    """
    named = environ.get("WINEPRESS_CONFIG")
    files = [Path(named)] if named else []
    files += [_USER_FILE] if _USER_FILE.is_file() else []
    own = (one for one in files if not _is_of_up(one, own_file))
    given = Settings.load(environ, next(own, Path(os.devnull)))
    return Settings(home=given.home) if alone else given


def _is_of_up(file: Path, own_file: Path) -> bool:
    names = {own_file.name, *(f"{role}.toml" for role in Role)}
    folders = {configured_state({"WINEPRESS_CONFIG": str(file)})}
    if own_file.exists():
        folders.add(own_file.resolve().parent)
    return file.exists() and file.name in names and file.resolve().parent in folders


def lost_settings(file: Path, given: Settings) -> list[str]:
    """Names of the user's settings in a file of an earlier run that ``given`` no longer has.

    Raises WrongUsage if a gateway that asked for keys would serve without.
    """
    held = _held(file)
    lost = [
        name
        for name in Settings.model_fields
        if name in held and name not in given.model_fields_set | _NOT_THE_USERS
    ]
    if "require_keys" not in given.model_fields_set:
        for name in lost:
            if _asks_for_keys(name, held[name]):
                raise WrongUsage(
                    f"this farm's gateway asked for keys because {name} was set, and it is no "
                    "longer set",
                    field=name,
                    hint=f"Set it again, in a {_USER_FILE} in the folder where you run "
                    f"`winepress up` or as WINEPRESS_{name.upper()}; or set require_keys = false "
                    "there, so that the gateway serves this machine without keys",
                )
    return lost


def _asks_for_keys(name: str, value: object) -> bool:
    if name == "require_keys":
        return value is True
    return name == "public_url" and not is_loopback(urlsplit(str(value)).hostname or "")


def _held(file: Path) -> dict[str, Any]:
    """What a file holds; nothing if it is missing or damaged, for it is replaced."""
    try:
        return parse_toml(read_regular(file, _MAX_FILE_BYTES).decode("utf-8"))
    except (OSError, ValueError):
        return {}


def names_broker(settings: Settings) -> bool:
    """Whether the settings name a broker."""
    return "broker_url" in settings.model_fields_set


def names_store(settings: Settings) -> bool:
    """Whether the settings name a store."""
    return bool(_STORE_FIELDS & settings.model_fields_set)


def with_key(
    settings: Settings, role: Role, credentials: Credentials, *, broker: bool, store: bool
) -> Settings:
    """``settings`` with one role's keys to ``broker`` and ``store``, if they are the farm's own.

    Flower gets no key to the store.
    """
    key, own = credentials.of(role), dict[str, object]()
    if broker:
        own["broker_url"] = url_of(role, settings.broker_url, credentials)
    if store:
        has_key = role in STORE_ROLES
        own["s3_access_key_id"] = SecretStr(key.s3_key_id) if has_key else None
        own["s3_secret_access_key"] = key.s3_secret if has_key else None
    return settings.model_copy(update=own)


def write_settings(path: Path, settings: Settings, command: str = "winepress up") -> None:
    """Write the fields that are set, with mode 0600; the header names ``command`` as the author."""
    lines = [f"# Written by `{command}`; running it again replaces this file.\n"]
    lines += [
        f"{name} = {_toml(getattr(settings, name))}\n"
        for name in Settings.model_fields
        if name in settings.model_fields_set and getattr(settings, name) is not None
    ]
    write_private(path, "".join(lines))


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_toml(name)} = {_toml(one)}' for name, one in value.items())}}}"
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    # A JSON string is a TOML basic string, except that TOML requires DEL to be escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
