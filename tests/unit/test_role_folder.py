"""Keys for servers that somebody else runs, and the services that compose.yaml gives them to."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.compose_servers import COMPOSE_FILE, compose

from winepress.cli import main
from winepress_deploy.role_folder import RoleFolder
from winepress_deploy.roles import STORE_ROLES, Role
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

#: What each service may read; whatever else is written is none of its business.
_GIVEN = {
    "valkey": {"valkey-users.acl"},
    "seaweedfs": {"store-identities.json", "authority.pem", "certificate.pem", "key.pem"},
    "worker": {"worker.toml"},
    "worker-gpu": {"worker.toml"},
    "worker-npu": {"worker.toml"},
    "gateway": {"gateway.toml"},
    "webhooks": {"gateway.toml"},
    "flower": {"flower.toml"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of all roles are, for compose."""
    assert main(["roles", "--compose", "--out", str(tmp_path / "roles")]) == 0
    return tmp_path / "roles"


def _settings(folder: Path, role: Role) -> Settings:
    name = "winepress" if role is Role.OPERATOR else role.value
    return Settings.load({}, folder / f"{name}.toml")


def _name_of(secret: dict[str, Any]) -> str:
    path: str = secret["file"]
    assert path.startswith("${WINEPRESS_ROLES:-./roles}/containers/")
    return path.rpartition("/")[2]


def test_each_service_is_given_its_own_keys_alone() -> None:
    """A worker's container never sees what the operator or a producer shows."""
    services = compose()["services"]
    assert {name: set(service.get("secrets", ())) for name, service in services.items()} == _GIVEN
    files = {
        name: service["env_file"] for name, service in services.items() if "env_file" in service
    }
    assert {name: [Path(one).name for one in each] for name, each in files.items()} == {
        "seaweedfs": ["seaweedfs.env"],
        "flower": ["flower.env"],
    }


def test_every_file_that_compose_mounts_is_written(folder: Path) -> None:
    """Under the very name that the service looks for below /run/secrets."""
    read = compose()
    secrets = {name: _name_of(secret) for name, secret in read["secrets"].items()}
    assert set(secrets) == set().union(*_GIVEN.values())
    assert all(name == file for name, file in secrets.items())
    for name in {*secrets, "seaweedfs.env", "flower.env"}:
        assert (folder / "containers" / name).is_file()
    mentioned = set(re.findall(r"/run/secrets/([\w.-]+)", COMPOSE_FILE.read_text()))
    settings = {"worker.toml", "gateway.toml", "flower.toml"}
    assert mentioned == {"valkey-users.acl", "store-identities.json", *settings}
    for line in (folder / "containers" / "seaweedfs.env").read_text().splitlines():
        name, _, value = line.partition("=")
        if name.endswith(("_CERT", "_KEY", "_CA")) and "JWT" not in name:
            assert value.removeprefix("/run/secrets/") in _GIVEN["seaweedfs"], name


def test_no_secret_stands_in_a_command_or_has_to_be_typed(folder: Path) -> None:
    """The only variables are where the files are, the devices' group and an index of packages."""
    text = COMPOSE_FILE.read_text()
    variables = {"WINEPRESS_ROLES", "RENDER_GROUP", "PIP_EXTRA_INDEX_URL"}
    assert set(re.findall(r"\$\{(\w+)", text)) == variables
    secrets = json.loads((folder / "credentials.json").read_text()).values()
    assert not [secret for secret in secrets if secret in text]


def test_no_image_holds_keys() -> None:
    """The folder in which they are written, under a name of anybody's choice, is not copied."""
    lines = COMPOSE_FILE.with_name("Dockerfile").read_text().splitlines()
    copied = {name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]}
    assert "deploy/winepress_deploy" in copied
    assert not copied & {".", "deploy", "deploy/"}


def test_nobody_else_can_read_what_is_written(folder: Path) -> None:
    """Servers in containers have users of their own, behind a folder that only its owner opens."""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    outside = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}
    assert (outside, modes) == ({0o600}, {0o600, 0o644})


def test_the_broker_knows_passwords_by_their_hash_alone(folder: Path) -> None:
    """Whoever reads its list of users can log in as nobody."""
    lists = (folder / "containers" / "valkey-users.acl").read_text()
    for role in Role:
        password = urlsplit(_settings(folder, role).broker_url.get_secret_value()).password
        assert password
        assert password not in lists
    assert "nopass" not in lists


def test_each_role_has_a_key_of_its_own(folder: Path) -> None:
    """To the broker and to the store; Flower has none to the store."""
    found = {role: _settings(folder, role) for role in Role}
    assert len({one.broker_url.get_secret_value() for one in found.values()}) == len(Role)
    keys = {role: one.s3_access_key_id for role, one in found.items()}
    assert keys.pop(Role.FLOWER) is None
    assert len({key.get_secret_value() for key in keys.values() if key}) == len(STORE_ROLES)


def test_secrets_stay_until_they_are_taken_out(folder: Path) -> None:
    """A second run writes the same files; a secret that was removed is drawn anew, no other."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["roles", "--compose", "--out", str(folder)]) == 0
    assert {path: path.read_bytes() for path in before} == before
    known = json.loads((folder / "credentials.json").read_text())
    old = known.pop("producer_broker_password")
    (folder / "credentials.json").write_text(json.dumps(known))
    assert main(["roles", "--compose", "--out", str(folder)]) == 0
    assert old not in (folder / "producer.toml").read_text()
    assert (folder / "worker.toml").read_bytes() == before[folder / "worker.toml"]


def test_servers_that_the_settings_name_get_the_same_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address keeps its options, and loses whose login stood in it."""
    url = "rediss://:before@broker.example:6380/2?username=me&password=earlier&socket_timeout=9"
    monkeypatch.setenv("WINEPRESS_BROKER_URL", url)
    monkeypatch.setenv("WINEPRESS_S3_ENDPOINT", "https://s3.example")
    monkeypatch.setenv("WINEPRESS_S3_BUCKET", "pictures")
    monkeypatch.setenv("WINEPRESS_S3_ACCESS_KEY_ID", "root")
    monkeypatch.setenv("WINEPRESS_S3_SECRET_ACCESS_KEY", "rootsecret")
    monkeypatch.setenv("WINEPRESS_FARM", "night")
    folder = tmp_path / "roles"
    assert main(["roles", "--out", str(folder)]) == 0
    worker = _settings(folder, Role.WORKER)
    pattern = r"rediss://worker:[\w-]+@broker\.example:6380/2\?socket_timeout=9"
    assert re.fullmatch(pattern, worker.broker_url.get_secret_value())
    assert (worker.s3_endpoint, worker.s3_bucket) == ("https://s3.example", "pictures")
    assert "~night:*" in (folder / "valkey-users.acl").read_text()
    assert "arn:aws:s3:::pictures/night/jobs/*" in (folder / "policies" / "worker.json").read_text()
    written = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert not [one for one in ("before", "earlier", "rootsecret") if one in written]


def test_a_shared_folder_as_store_gets_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nobody who would ask for them."""
    monkeypatch.setenv("WINEPRESS_STORE_FOLDER", str(tmp_path / "store"))
    assert main(["roles", "--out", str(tmp_path / "roles")]) == 0
    settings = _settings(tmp_path / "roles", Role.WORKER)
    assert (settings.s3_access_key_id, settings.store_folder) == (None, tmp_path / "store")
    assert not (tmp_path / "roles" / "store-identities.json").exists()


@pytest.mark.parametrize("content", ["notes.txt", "credentials.json"])
def test_no_other_folder_is_written_to(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither somebody's files nor the folder of a farm that `up` runs."""
    (tmp_path / content).write_text("{}")
    (tmp_path / "farm.lock").touch()
    assert main(["roles", "--compose", "--out", str(tmp_path)]) == 2
    assert "the folder contains other files" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2


def test_a_run_that_was_killed_at_its_first_file_can_be_repeated(tmp_path: Path) -> None:
    """All it left is the beginning of a file of its own."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / ".0123456789abcdef.partial").write_text('{"broker')
    assert main(["roles", "--compose", "--out", str(tmp_path / "roles")]) == 0
    assert (tmp_path / "roles" / "worker.toml").is_file()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{\n "broker_password": "xyzzy"\n "farm": 1}', "line 3"),
        ('{"broker_pasword": "xyzzy"}', "broker_pasword"),
        ('{"worker_s3_key_id": 7, "worker_s3_secret": "xyzzy"}', "worker_s3_key_id"),
        ('["xyzzy"]', "no table of names"),
    ],
)
def test_a_slip_in_the_secrets_is_named_without_them(
    text: str, why: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """People take a secret out of that file by hand."""
    (folder / "credentials.json").write_text(text)
    assert main(["roles", "--compose", "--out", str(folder)]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert "generated again" in said
    assert "xyzzy" not in said


def test_a_folder_that_cannot_be_made_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With its flag, and without a traceback."""
    assert main(["roles", "--compose", "--out", "/proc/roles"]) == 2
    assert "--out: the folder cannot be used" in capsys.readouterr().err


def test_secrets_do_not_show_in_what_is_printed(folder: Path) -> None:
    """A log line or a traceback may hold the object that carries them."""
    credentials = RoleFolder(folder).create()
    for secret in json.loads((folder / "credentials.json").read_text()).values():
        if len(secret) > 24:  # ids of keys are no secrets
            assert secret not in repr(credentials)


def _lines_of(folder: Path) -> dict[str, str]:
    """User of the broker → its line in the file of users."""
    text = (folder / "valkey-users.acl").read_text()
    return {line.split()[1]: line for line in text.splitlines()}


def _store_keys_of(folder: Path, role: Role) -> list[str]:
    document = json.loads((folder / "store-identities.json").read_text())
    (found,) = [one for one in document["identities"] if one["name"] == role.value]
    return [key["accessKey"] for key in found["credentials"]]


def test_a_role_gets_a_new_key_while_the_servers_accept_the_former_one(folder: Path) -> None:
    """Its programs are started again one by one; then the former one is retired."""
    words = ["roles", "--compose", "--out", str(folder)]
    users, before = _lines_of(folder), _settings(folder, Role.WORKER)
    assert main([*words, "--rotate", "worker"]) == 0
    after = _settings(folder, Role.WORKER)
    assert (before.broker_url, before.s3_access_key_id) != (
        after.broker_url,
        after.s3_access_key_id,
    )
    (former,) = re.findall(r"#\S+", users["worker"])
    assert re.findall(r"#\S+", _lines_of(folder)["worker"])[1:] == [former]
    assert len(_store_keys_of(folder, Role.WORKER)) == 2
    assert main([*words, "--retire"]) == 0
    assert _settings(folder, Role.WORKER) == after
    assert former not in _lines_of(folder)["worker"]
    assert len(_store_keys_of(folder, Role.WORKER)) == 1
    users.pop("worker")
    assert users.items() <= _lines_of(folder).items(), "no other role has another key"


def test_a_second_end_of_the_former_keys_says_that_there_is_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever is not sure whether it was done may run it again."""
    words = ["roles", "--compose", "--out", str(folder)]
    assert main([*words, "--rotate", "worker"]) == main([*words, "--retire"]) == 0
    assert "accept no former key any more" in capsys.readouterr().out
    assert main([*words, "--retire"]) == 0
    assert "there was no former key" in capsys.readouterr().out


@pytest.mark.parametrize("change", [["--rotate", "worker"], ["--retire"]])
def test_a_mistyped_folder_gets_no_keys_when_keys_are_to_be_changed(
    tmp_path: Path, change: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Servers would be told the keys of another farm, and shut out everybody."""
    other = tmp_path / "kyes"
    assert main(["roles", "--compose", "--out", str(other), *change]) == 2
    assert "no keys in this folder" in capsys.readouterr().err
    assert not other.exists()


def test_all_roles_may_get_new_keys_at_once(folder: Path) -> None:
    """Once: a second change would lock out whoever still shows the first keys."""
    words = ["roles", "--compose", "--out", str(folder), "--rotate"]
    before = {role: _settings(folder, role).broker_url for role in Role}
    assert main([*words, "all"]) == 0
    after = {role: _settings(folder, role).broker_url for role in Role}
    assert all(before[role] != after[role] for role in Role)
    kept = (folder / "credentials.json").read_text()
    with pytest.raises(WrongUsage, match="accept a former key of this role still"):
        RoleFolder(folder).create().rotated(Role.FLOWER)
    assert main([*words, "gateway"]) == 2
    assert (folder / "credentials.json").read_text() == kept


def test_the_operator_has_the_broker_read_its_users_anew_and_nobody_else(folder: Path) -> None:
    """So that no server is started again for a new key; it takes no other file than its own."""
    users = _lines_of(folder)
    assert [name for name, line in users.items() if "+acl|load" in line] == ["default"]
