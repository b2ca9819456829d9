"""Writes the settings of a farm as the TOML file that its workers and producers read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from winepress_deploy.broker_roles import url_of
from winepress_deploy.credentials import Credentials
from winepress_deploy.private_file import write_private
from winepress_deploy.roles import STORE_ROLES, Role
from winepress_deploy.state_folder import configured_state
from winepress_shared.settings import Settings

#: If the user sets any of these, the farm uses an existing store.
_STORE_FIELDS = frozenset({"s3_endpoint", "s3_access_key_id", "store_folder"})


def user_settings(own_file: Path, environ: Mapping[str, str], *, alone: bool = False) -> Settings:
    """The user's settings for a farm; raises WrongUsage.

    Files that `winepress up` wrote are ignored, even if ``WINEPRESS_CONFIG`` names one: neither
    this farm's of an earlier run, nor another farm's, whose servers this one would write to.
    ``alone`` keeps only the folder of the prepared models.
    """
    named = Path(environ.get("WINEPRESS_CONFIG") or "winepress.toml")
    own_names = {own_file.name, *(f"{role}.toml" for role in Role)}
    folders = {configured_state({"WINEPRESS_CONFIG": str(named)})}
    if own_file.exists():
        folders.add(own_file.resolve().parent)
    is_of_up = named.exists() and named.name in own_names and named.resolve().parent in folders
    given = Settings.load(environ, Path(os.devnull) if is_of_up else None)
    return Settings(home=given.home) if alone else given


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
