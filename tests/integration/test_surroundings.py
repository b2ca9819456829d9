"""What the environment holds for other programs does not reach a farm."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command_line import WINEPRESS
from support.servers import S3Server, free_ports, scrubbed_environment

from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import StoreUnreachable
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

_KEYS: dict[str, Any] = {"s3_access_key_id": "a", "s3_secret_access_key": "b"}
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _foreign(folder: Path) -> dict[str, str]:
    """Variables of other programs, each of which names something that is not there."""
    (port,) = free_ports(1)
    broken = folder / "broken.ini"
    broken.write_text("[profile\nnot = a file of settings")
    nowhere = f"redis://127.0.0.1:{port}/0"
    return {
        **dict.fromkeys(_PROXIES, f"http://127.0.0.1:{port}"),
        **dict.fromkeys(("AWS_PROFILE", "AWS_DEFAULT_PROFILE"), "of-another-program"),
        **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), str(broken)),
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "of-another-program"),
        **dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"), f"http://127.0.0.1:{port}"),
        **dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), "/nowhere.pem"),
        **dict.fromkeys(("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"), "true"),
        **dict.fromkeys(("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"), "none"),
        **dict.fromkeys(("REDIS_URL", "BROKER_URL", "CELERY_BROKER_URL"), nowhere),
        **dict.fromkeys(("CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"), nowhere),
        **dict.fromkeys(("RESULT_BACKEND", "CELERY_RESULT_BACKEND"), "nobody://knows"),
        **dict.fromkeys(("LOADER", "CELERY_LOADER"), "no_such_loader"),
        **dict.fromkeys(("CONFIG_MODULE", "CELERY_CONFIG_MODULE"), "no_such_module"),
        **dict.fromkeys(("FLOWER_PORT", "FLOWER_DB"), "not for us"),
        "PYTHONWARNINGS": "error",
    }


def _run(*words: str | Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (WINEPRESS, *words), env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    """A farm's folder; what runs there at the end is stopped."""
    folder = StateFolder(tmp_path / "state")
    yield folder
    _run("down", "--state", folder.path, env=scrubbed_environment())


def test_a_farm_works_in_the_surroundings_of_other_programs(
    state: StateFolder, tmp_path: Path
) -> None:
    """It starts, with Flower and a worker, draws, and stops; `down` stops the one in use."""
    env = scrubbed_environment() | _foreign(tmp_path) | {"XDG_STATE_HOME": str(tmp_path / "xdg")}
    started = _run("up", "--state", state.path, "--engine", "fake", "--detach", env=env)
    assert started.returncode == 0, started.stdout + started.stderr

    env["WINEPRESS_CONFIG"] = str(state.path / "producer.toml")
    drawn = _run(
        "submit", "text-to-image", "an apple", "--wait", "--out", tmp_path / "out", env=env
    )
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1

    stopped = _run("down", env=env)
    assert stopped.returncode == 0
    assert str(state.path) in stopped.stdout
    assert not state.is_locked()


def test_boto3s_own_chain_decides_where_the_settings_leave_the_keys_open(
    s3_server: S3Server, tmp_path: Path
) -> None:
    """A profile of the environment is used, and still the endpoint of the settings."""
    (port,) = free_ports(1)
    file = tmp_path / "credentials"
    file.write_text(
        f"[farm]\naws_access_key_id = {s3_server.access_key_id}\n"
        f"aws_secret_access_key = {s3_server.secret_access_key}\n"
    )
    settings = Settings(s3_endpoint=s3_server.endpoint, s3_bucket=s3_server.bucket)
    with pytest.MonkeyPatch.context() as patch:
        for name in (*_PROXIES, "AWS_ENDPOINT_URL"):
            patch.setenv(name, f"http://127.0.0.1:{port}")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        patch.setenv("AWS_PROFILE", "farm")
        store = open_store(settings)
        store.put("chain/a", b"b")
        assert store.get("chain/a") == b"b"


def test_a_proxy_that_refuses_is_named_as_that() -> None:
    """Not as a store that is down."""
    (port,) = free_ports(1)
    with pytest.MonkeyPatch.context() as patch:
        for name in _PROXIES:
            patch.setenv(name, f"http://user:correct-horse@127.0.0.1:{port}")
        settings = Settings(s3_endpoint="http://store.invalid", **_KEYS)
        with pytest.raises(
            StoreUnreachable, match=r"the proxy before .* \(no server listens there\)"
        ):
            open_store(settings).check()


def test_a_store_where_nothing_listens_is_named_as_that() -> None:
    """The first thing to look at is whether it runs."""
    (port,) = free_ports(1)
    settings = Settings(s3_endpoint=f"http://127.0.0.1:{port}", **_KEYS)
    with pytest.raises(StoreUnreachable, match="no server listens there"):
        open_store(settings).check()
