"""Servers that let in the roles of one farm alone, by the files of ``winepress roles``."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from faults.harness.farm import Servers
from support.command_line import WINEPRESS
from support.servers import S3Server, SeaweedServer, ValkeyServer, scrubbed_environment

from winepress_deploy.roles import Role
from winepress_shared.settings import Settings

_BUCKET = "winepress"


class LockedServers:
    """A broker and a store, and the folder from which an operator brings them their files."""

    def __init__(self, folder: Path, farm: str) -> None:
        for name in ("broker", "store"):
            (folder / name).mkdir(parents=True)
        self._keys = folder / "keys"
        self._users, self._identities = folder / "users.acl", folder / "identities.json"
        self._broker = ValkeyServer(folder / "broker", "--aclfile", str(self._users))
        self._store = SeaweedServer(folder / "store", f"-s3.config={self._identities}")
        self._addresses = {
            "WINEPRESS_FARM": farm,
            "WINEPRESS_BROKER_URL": self._broker.url,
            "WINEPRESS_S3_ENDPOINT": self._store.address.endpoint,
            "WINEPRESS_S3_BUCKET": _BUCKET,
        }
        self._test = secrets.token_urlsafe(24)  # password of a user of the broker who sees all
        self._broker.url = self._broker.url.replace("//", f"//test:{self._test}@")

    @contextmanager
    def running(self) -> Iterator[Servers]:
        """With the first keys, while inside."""
        self.write_keys()
        self._put_in_place()
        own = self.settings_of(Role.OPERATOR)
        key, secret = own.s3_access_key_id, own.s3_secret_access_key
        assert key
        assert secret
        shown = (key.get_secret_value(), secret.get_secret_value())
        self._store.address = S3Server(self._store.address.endpoint, _BUCKET, *shown)
        with self._broker as broker, self._store as store:
            yield Servers(broker, store)

    def write_keys(self, *flags: str) -> None:
        """Run ``winepress roles`` for these servers."""
        command = [str(WINEPRESS), "roles", "--out", str(self._keys), *flags]
        environment = scrubbed_environment() | self._addresses
        subprocess.run(command, env=environment, check=True, capture_output=True)

    def read_keys(self, operator: Settings) -> None:
        """Bring both servers their files, and have them read these; they go on meanwhile."""
        self._put_in_place()
        url = operator.broker_url.get_secret_value()
        with redis.Redis.from_url(url) as broker:
            assert broker.execute_command("ACL LOAD")
        os.kill(self._store.pid, signal.SIGHUP)

    def settings_of(self, role: Role) -> Settings:
        """What the file of a role says now."""
        name = "winepress" if role is Role.OPERATOR else role.value
        return Settings.load({}, self._keys / f"{name}.toml")

    def _put_in_place(self) -> None:
        shutil.copyfile(self._keys / "store-identities.json", self._identities)
        users = (self._keys / "valkey-users.acl").read_text()
        self._users.write_text(f"{users}user test on >{self._test} ~* &* +@all\n")


def login_of(settings: Settings) -> dict[str, Any]:
    """The settings in which two keys of a role differ."""
    names = ("broker_url", "s3_access_key_id", "s3_secret_access_key")
    return {name: getattr(settings, name) for name in names}
