"""A folder with the keys of every role, for servers that Winepress does not run itself.

``compose.yaml`` mounts from it what each service needs; an existing broker or store takes the same
users and policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from winepress_deploy.broker_roles import users
from winepress_deploy.credentials import Credentials
from winepress_deploy.private_file import write_private
from winepress_deploy.roles import STORE_ROLES, Role
from winepress_deploy.settings_file import with_key, write_settings
from winepress_deploy.state_folder import StateFolder
from winepress_deploy.store_roles import gateway_config, policy
from winepress_shared.atomic_file import PARTIAL
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

_COMMAND = "winepress roles"
#: The settings that make up a server's address; each program has its own other settings.
_ADDRESSES = (
    *("farm", "broker_url", "broker_ca", "sentinel_user", "sentinel_password", "durability"),
    *("store_folder",),
    *("s3_endpoint", "s3_ca", "s3_public_endpoint", "s3_region", "s3_bucket"),
)
#: Addresses of the services of compose.yaml, from their machine and from each other.
_PUBLISHED = Settings(
    broker_url=SecretStr("redis://127.0.0.1:6379/0"),
    durability="disk",
    s3_endpoint="http://127.0.0.1:8333",
)
_INSIDE = Settings(
    broker_url=SecretStr("redis://valkey:6379/0"),
    durability="disk",
    s3_endpoint="http://seaweedfs:8333",
)
_SECRETS = Path("/run/secrets")  #: where compose mounts a service's secret files
_CONTAINERS = "containers"  #: subfolder with the containers' files


class RoleFolder:
    """One folder, readable only by its owner."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.containers = self.path / _CONTAINERS
        self.secrets = self.path / "credentials.json"

    def check_exists(self) -> None:
        """Raise WrongUsage if the folder has no keys yet."""
        if not self.secrets.exists():
            raise WrongUsage(
                "there are no keys in this folder to change",
                field="--out",
                value=str(self.path),
                hint="Name the folder that `winepress roles` wrote; without --rotate and --retire "
                "it makes a new one",
            )

    def create(self) -> Credentials:
        """Make the folder, or read its secrets; raises WrongUsage."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_ours = self.secrets.exists() and not StateFolder(self.path).lock.exists()
            # A run that was killed may have left no more than the beginning of a file.
            if not is_ours and any(one.suffix != PARTIAL for one in self.path.iterdir()):
                raise WrongUsage(
                    "the folder contains other files",
                    field="--out",
                    value=str(self.path),
                    hint="Name an empty or a new folder",
                )
            self.path.chmod(0o700)
            return Credentials.keep(self.secrets)
        except OSError as error:
            raise self._unusable(error) from None

    def write(self, settings: Settings, credentials: Credentials) -> None:
        """Write the files of all roles for the servers in ``settings``; raises WrongUsage.

        A shared folder as the store needs no key.
        """
        try:
            self._write(settings, credentials)
        except OSError as error:
            raise self._unusable(error) from None

    def write_for_compose(self, credentials: Credentials) -> None:
        """Write the same for the services of compose.yaml, and the containers' own files."""
        self.write(_PUBLISHED, credentials)
        try:
            self._write_containers(credentials)
        except OSError as error:
            raise self._unusable(error) from None

    def _write(self, settings: Settings, credentials: Credentials) -> None:
        given = {name: getattr(settings, name) for name in _ADDRESSES}
        addresses = Settings(**{name: value for name, value in given.items() if value is not None})
        _write_roles(self.path, addresses, credentials)
        write_private(self.path / "valkey-users.acl", users(addresses.farm, credentials))
        if addresses.store_folder is None:
            identities = gateway_config(addresses, credentials)
            write_private(self.path / "store-identities.json", identities)
            (self.path / "policies").mkdir(exist_ok=True)
            for role in STORE_ROLES:
                write_private(self.path / "policies" / f"{role}.json", policy(role, addresses))

    def _write_containers(self, credentials: Credentials) -> None:
        # Imported here: other commands do not need cryptography.
        from winepress_deploy.services.certificates import Certificates
        from winepress_deploy.services.flower import USER
        from winepress_deploy.services.seaweed import server_environment

        folder = self.containers
        folder.mkdir(exist_ok=True)
        _write_roles(folder, _INSIDE, credentials)
        write_private(folder / "valkey-users.acl", users(_INSIDE.farm, credentials))
        write_private(folder / "store-identities.json", gateway_config(_INSIDE, credentials))
        Certificates.keep(folder)
        inside = server_environment(_INSIDE, credentials, Certificates.below(_SECRETS))
        _write_environment(folder / "seaweedfs.env", inside)
        password = credentials.flower_password.get_secret_value()
        write_private(self.path / "flower-password", f"{password}\n")
        _write_environment(folder / "flower.env", {"FLOWER_BASIC_AUTH": f"{USER}:{password}"})
        for path in folder.iterdir():
            # Servers in containers run as other users. On this machine the parent folder keeps
            # other users out.
            path.chmod(0o644)

    def _unusable(self, error: OSError) -> WrongUsage:
        return WrongUsage(
            f"the folder cannot be used: {error.strerror}", field="--out", value=str(self.path)
        )


def _write_roles(folder: Path, settings: Settings, credentials: Credentials) -> None:
    store = settings.store_folder is None
    for role in Role:
        own = with_key(settings, role, credentials, broker=True, store=store)
        write_settings(StateFolder(folder).settings_of(role), own, _COMMAND)


def _write_environment(path: Path, values: Mapping[str, str]) -> None:
    write_private(path, "".join(f"{name}={value}\n" for name, value in values.items()))
