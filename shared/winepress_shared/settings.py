"""Settings: read once at the edge, validated, frozen, handed down.

Sources, the later one wins: defaults, a TOML file (``WINEPRESS_CONFIG``, else ``winepress.toml``
in the working folder), environment variables ``WINEPRESS_<FIELD>`` (empty means not
set; a table is JSON, and a list JSON or words with commas between). An unknown key is refused with
the nearest known one, so a typo never means "default".
"""

from __future__ import annotations

import difflib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from winepress_shared.broker_url import check_broker_url
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.refusal import complaint_of
from winepress_shared.json_text import parse_json
from winepress_shared.network_address import split_url
from winepress_shared.regular_file import read_regular
from winepress_shared.toml_text import parse_toml
from winepress_shared.webhook import read_allowed

log = logging.getLogger(__name__)

_ENV_PREFIX = "WINEPRESS_"
_CONFIG_ENV = "WINEPRESS_CONFIG"
#: A user name: letters, digits and ``._@-``, 1 to 64 characters.
USER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
PresetLane = Annotated[str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9.-]{0,99})$")]
ModelAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,99}$")]
Origin = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9+.-]*://[a-z0-9._:\[\]-]{1,253})$")]
_DEFAULT_FILE = Path("winepress.toml")
_MAX_FILE_BYTES = 2**20  #: and characters of a variable
#: What the settings that are no single value look like in a variable of the environment.
_EXAMPLES: dict[str, list[str] | dict[str, str]] = {
    "model_aliases": {"gpt-image-1": "vignette"},
    "qualities": {"sdxl-base.fp16": "fast"},
    "cors_origins": ["https://app.example"],
    "webhook_allow": ["127.0.0.1", "10.20.0.0/16"],
}


def default_home() -> Path:
    """The folder of prepared models and compiled blobs, following the XDG base directories."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "winepress"


class Limits(BaseModel):
    """The limits of a farm. The broker keeps them; None leaves a limit of the broker as it is.

    `winepress up` writes the limits of its settings to the broker at its start, and
    `winepress limits` writes them at any time. Producers and workers obey the limits in the broker,
    not those in their own settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    queue_limit: Annotated[int, Field(ge=1, le=10**12)] | None = None
    #: Most units of the farm that have not ended: waiting, paused, due later or in hand.
    user_queue_limit: Annotated[int, Field(ge=1, le=10**12)] | None = None
    #: Most units of one user that have not ended.
    user_running_limit: Annotated[int, Field(ge=0, le=10**6)] | None = None
    #: Most slices of one user in work at a time, each on one device; 0 is no limit.
    keep_days: Annotated[float, Field(gt=0, le=3650)] | None = None
    #: Days for which ended jobs stay listed.
    keep_objects_days: Annotated[float, Field(ge=0, le=3650)] | None = None
    #: Days for which the pictures of ended jobs are kept that are no longer listed; 0 is for ever.

    @property
    def limits(self) -> dict[str, float]:
        """The limits that these settings name."""
        values = {name: getattr(self, name) for name in Limits.model_fields}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Settings from ``values``; raises WrongUsage that names the invalid key."""
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name, (problem, allowed) = ".".join(map(str, first["loc"])), complaint_of(first)
            # What has other faults may be a secret, or an address with one in it.
            is_plain = allowed or first["type"].endswith(("_parsing", "_number"))
            told = {"value": first["input"] if is_plain else None, "allowed": allowed}
            raise WrongUsage(f"invalid setting: {problem}", field=name, **told) from None


class Settings(Limits):
    """What producers and workers need to connect to one farm."""

    farm: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "winepress"
    #: Name of the farm and prefix of its keys; two farms may share one server under two names.
    broker_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")  #: The broker.
    broker_ca: Path | None = None
    #: Authority that signed the broker's certificate; none: those that the system trusts.
    sentinel_user: str | None = None  #: User at Sentinels that ask for one.
    sentinel_password: SecretStr | None = None
    #: Password of the Sentinels; that in ``broker_url`` is for the servers they watch.
    durability: Literal["second", "disk", "replica"] = "second"
    #: What a power cut of the broker's machine takes: with ``disk`` nothing that was accepted, with
    #: ``second`` what its last seconds brought. With ``replica`` a failover takes nothing either.
    #: `winepress up` takes ``disk`` for its own broker.
    s3_endpoint: str | None = None  #: The store; none: AWS.
    s3_ca: Path | None = None  #: Authority that signed the store's certificate.
    s3_public_endpoint: str | None = None
    #: Address of the same store in links for others; none: ``s3_endpoint``.
    s3_region: str = "us-east-1"  #: Region of the bucket.
    s3_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "winepress"
    #: Bucket of the store; farms may share one under two names.
    s3_access_key_id: SecretStr | None = None  #: Key to the store; none: boto3 looks for keys.
    s3_secret_access_key: SecretStr | None = None  #: The secret that belongs to it.
    store_folder: Path | None = None  #: A shared folder in place of S3.
    home: Path = Field(default_factory=default_home)  #: Folder of prepared models and blobs.
    pulled_gib: Annotated[float, Field(gt=0, le=2**20)] = 200.0
    #: Most GiB of disk below ``home`` for models pulled from the store.
    share_blobs: bool = False
    #: Whether workers offer what they compile in the store, and take there what alike devices did:
    #: only where whoever has a worker's key may run code on every worker.
    catalogue: Path | None = None  #: File of further models, in the form of catalogue.toml.
    qualities: Annotated[dict[PresetLane, Quality], Field(max_length=1000)] = Field(
        default_factory=dict
    )
    #: Preset of jobs that name none, by ``sdxl-base.int8``, by ``sdxl-base``, or ``*`` for all.
    user: Annotated[str, Field(pattern=USER_PATTERN)] = "anonymous"  #: Who a job is charged to.
    public_url: str | None = None
    #: Address of the gateway in its own links; none: the one by which each client reaches it.
    model_aliases: dict[ModelAlias, ModelAlias] = Field(default_factory=dict)
    #: Names that clients of the gateway ask for, such as gpt-image-1, and the models they mean.
    default_model: ModelAlias = "vignette"
    #: For the gateway: model of a request that names none, or one of OpenAI's without an alias.
    require_keys: bool = False
    #: Whether callers on the gateway's own machine need a key too; all others always do.
    cors_origins: Annotated[tuple[Origin, ...], Field(max_length=100)] = ()
    #: Pages that may call the gateway from a browser, such as https://app.example; ``*`` is all.
    webhook_allow: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    #: Hosts and networks that webhooks may reach although they are not public, such as 127.0.0.1.
    webhook_tries: Annotated[int, Field(ge=1, le=30)] = 12  #: Tries to tell a webhook of an end.
    webhook_first_retry_s: Annotated[float, Field(gt=0, le=3600)] = 6.0
    #: Seconds before the second try; the time doubles from each try to the next.
    webhook_timeout_s: Annotated[float, Field(gt=0, le=60)] = 8.0  #: Seconds for one try.
    log_format: Literal["text", "json"] = "text"  #: Form of the logs of programs that serve.
    traces: Literal["off", "otlp"] = "off"  #: Sent to the collector that variables OTEL_… name.

    @property
    def waits_for_disk(self) -> bool:
        """Whether a job counts as accepted once the broker's disk has it."""
        return self.durability != "second"

    @property
    def waits_for_replica(self) -> bool:
        """Whether one of the broker's replicas has to have it too."""
        return self.durability == "replica"

    @field_validator("broker_url")
    @classmethod
    def _redis_only(cls, url: SecretStr) -> SecretStr:
        check_broker_url(url.get_secret_value())
        return url

    @field_validator("cors_origins", "webhook_allow", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        """Text holds them with commas between."""
        return given.replace(",", " ").split() if isinstance(given, str) else given

    @field_validator("webhook_allow")
    @classmethod
    def _hosts(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            read_allowed(one)
        return given

    @field_validator("home", "catalogue", "store_folder")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """The processes of a farm run in folders of their own."""
        return path and path.expanduser().absolute()

    @field_validator("broker_ca", "s3_ca")
    @classmethod
    def _certificates(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        import ssl  # few farms need it

        path = path.expanduser().absolute()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError:
            raise ValueError(f"{path} contains no certificates in PEM format") from None
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}") from None
        return path

    @field_validator("s3_endpoint", "s3_public_endpoint", "public_url")
    @classmethod
    def _http_only(cls, url: str | None) -> str | None:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        if url:
            split_url(url)
        return url or None

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, file: Path | None = None, **overrides: Any
    ) -> Self:
        """Merge file, environment and ``overrides``; raises WrongUsage that names a bad key."""
        environ = os.environ if environ is None else environ
        values = _from_file(file, environ) | _from_environment(environ)
        values |= {key: value for key, value in overrides.items() if value is not None}
        return cls.checked(values)


def warn_of_limits(settings: Settings) -> None:
    """Warn that limits in the settings of producers and workers have no effect."""
    if settings.limits:
        log.warning(
            "%s in these settings: ignored, because the broker keeps the limits of the farm; "
            "`winepress limits` shows and sets them",
            ", ".join(settings.limits),
        )


def _from_file(file: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    named = file or (Path(environ[_CONFIG_ENV]) if environ.get(_CONFIG_ENV) else None)
    path = named or _DEFAULT_FILE
    if named is None and not path.is_file():
        return {}
    try:
        values = parse_toml(read_regular(path, _MAX_FILE_BYTES).decode("utf-8"))
    except OSError as error:
        raise WrongUsage(f"cannot read settings: {error.strerror}", value=str(path)) from None
    except ValueError as error:
        raise WrongUsage(f"{path} is not valid TOML: {error}") from None
    for key in values:
        _known(key, f"in {path}")
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(_ENV_PREFIX) and name != _CONFIG_ENV:
            key = name.removeprefix(_ENV_PREFIX).lower()
            _known(key, f"as environment variable {name}")
            if value:  # compose files pass unset variables on as empty ones
                values[key] = _read_variable(name, key, value) if key in _EXAMPLES else value
    return values


def _read_variable(name: str, key: str, value: str) -> object:
    """A list or a table; raises WrongUsage."""
    example = _EXAMPLES[key]
    if isinstance(example, list) and not value.lstrip().startswith(("[", "{")):
        return value
    try:
        if len(value) > _MAX_FILE_BYTES:
            raise ValueError("too long")
        found = parse_json(value)
        if not isinstance(found, type(example)):
            raise ValueError("another type")
    except ValueError:
        form = "a JSON list, or words" if isinstance(example, list) else "a JSON object"
        raise WrongUsage(
            "cannot be read",
            field=name,
            value=value[:200],
            allowed=f"{form}, such as {json.dumps(example)}",
        ) from None
    return found


def _known(key: str, where: str) -> None:
    if key not in Settings.model_fields:
        near = difflib.get_close_matches(key, Settings.model_fields, n=1)
        raise WrongUsage(
            f"unknown setting {where}",
            field=key,
            allowed=", ".join(Settings.model_fields),
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
