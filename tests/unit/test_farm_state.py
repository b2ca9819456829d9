"""What a farm remembers between two runs: folder, credentials, ports, settings."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from winepress.cli import main
from winepress_deploy import ports
from winepress_deploy.command import register
from winepress_deploy.credentials import Credentials
from winepress_deploy.demo import Demo
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.roles import Role
from winepress_deploy.running_farm import stop_running
from winepress_deploy.settings_file import (
    names_broker,
    names_store,
    user_settings,
    write_settings,
)
from winepress_deploy.state_folder import StateFolder, configured_state, default_state, stop_command
from winepress_deploy.stop_request import StopRequest
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder in use for the first time."""
    folder = StateFolder(tmp_path / "state")
    folder.create()
    return folder


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    """``--state ~`` must not close the user's home to everybody else."""
    (tmp_path / "letter.txt").write_text("dear reader")
    tmp_path.chmod(0o755)
    with pytest.raises(WrongUsage, match="contains other files"):
        StateFolder(tmp_path).create()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """The reason is the system's own."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "state", Path("/proc/state")):
        with pytest.raises(WrongUsage, match="the state folder cannot be used"):
            StateFolder(path).create()


def test_a_path_that_would_break_a_config_file_is_refused(tmp_path: Path) -> None:
    """A line break in the folder's name would be a directive of its own in a server's file."""
    with pytest.raises(WrongUsage, match="not a usable folder"):
        StateFolder(tmp_path / "a\nrequirepass none").create()


def test_only_one_farm_holds_a_folder(state: StateFolder) -> None:
    """The lock is exclusive, and gone with its holder."""
    assert not state.is_locked()
    with state.locked():
        assert state.is_locked()
        with pytest.raises(BlockingIOError), state.locked():
            pass
    assert not state.is_locked()


def test_no_stranger_is_stopped_for_a_stale_record(state: StateFolder) -> None:
    """A process id that now belongs to somebody else gets no signal."""
    stranger = 1
    state.announce(stranger, 0, {})
    assert stop_running(state, 1.0) is None
    with state.locked():
        assert stop_running(state, 1.0) is None


def test_credentials_are_drawn_once_and_private(state: StateFolder) -> None:
    """Every run of a farm has the same ones, two farms never, and only the owner reads them."""
    drawn = Credentials.keep(state.credentials)
    assert Credentials.keep(state.credentials) == drawn
    assert stat.S_IMODE(state.credentials.stat().st_mode) == 0o600
    assert Credentials() != Credentials()
    assert drawn.flower_password.get_secret_value() not in repr(drawn)


def test_credentials_of_an_older_farm_are_completed(state: StateFolder) -> None:
    """A secret that is new in this release does not make the data behind the others unusable."""
    state.credentials.write_text('{"s3_access_key_id": "old"}')
    assert Credentials.keep(state.credentials).s3_access_key_id == "old"
    assert Credentials.keep(state.credentials) == Credentials.keep(state.credentials)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"unknown": "1"}', '{"s3_access_key_id": 7}'])
def test_broken_credentials_are_named_and_kept(state: StateFolder, text: str) -> None:
    """They open data that would be lost with them, so they are never overwritten."""
    state.credentials.write_text(text)
    with pytest.raises(WrongUsage, match="cannot be read"):
        Credentials.keep(state.credentials)
    assert state.credentials.read_text() == text


def test_ports_are_kept_while_they_are_free() -> None:
    """Producers in another shell find a restarted farm where it was."""
    first = ports.choose(("a", "b"), {})
    assert ports.choose(("a", "b"), first) == first
    assert len(set(first.values())) == 2


def test_a_port_that_somebody_took_is_replaced() -> None:
    """A farm starts whatever else has come to run on the machine."""
    first = ports.choose(("a", "b"), {})
    with socket.create_server((ports.HOST, first["a"])):
        second = ports.choose(("a", "b"), first)
        assert ports.answers(first["a"])
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_a_port_with_a_companion_needs_both_free() -> None:
    """Some servers open a second port at a fixed distance from the first."""
    first = ports.choose(("a",), {}, {"a": 10_000})
    with socket.create_server((ports.HOST, first["a"] + 10_000)):
        assert ports.choose(("a",), first, {"a": 10_000}) != first


@given(folder=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_settings_survive_their_file(tmp_path_factory: pytest.TempPathFactory, folder: str) -> None:
    """Whatever stands in a path, the workers read what the farm wrote."""
    file = tmp_path_factory.getbasetemp() / "winepress.toml"
    settings = Settings(
        broker_url=SecretStr("redis://:p%22w@127.0.0.1:1/0"),
        store_folder=Path(f"/{folder}"),
        queue_limit=7,
        keep_days=0.5,
        require_keys=True,
        cors_origins=("https://app.example", "*"),
        model_aliases={"gpt-image-1": "vignette", "a/b:c.d": "sdxl-turbo"},
    )
    write_settings(file, settings)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Settings.load({}, file) == settings


def test_servers_that_the_user_names_are_used(tmp_path: Path) -> None:
    """An address given by hand wins over a server of the farm's own."""
    own = tmp_path / "winepress.toml"
    nothing = user_settings(own, {"WINEPRESS_CONFIG": "/dev/null", "WINEPRESS_USER": "anna"})
    assert (names_broker(nothing), names_store(nothing)) == (False, False)
    broker = user_settings(own, {"WINEPRESS_BROKER_URL": "redis://far:6379/0"})
    assert (names_broker(broker), names_store(broker)) == (True, False)
    store = user_settings(own, {"WINEPRESS_STORE_FOLDER": "/mnt/pictures"})
    assert (names_broker(store), names_store(store)) == (False, True)


def test_a_farm_does_not_take_its_own_servers_for_foreign_ones(tmp_path: Path) -> None:
    """`up` works in the very shell that was told to use the farm."""
    own = tmp_path / "winepress.toml"
    write_settings(own, Settings(broker_url=SecretStr("redis://127.0.0.1:1/0")))
    assert not names_broker(user_settings(own, {"WINEPRESS_CONFIG": str(own)}))
    assert names_broker(user_settings(tmp_path / "other.toml", {"WINEPRESS_CONFIG": str(own)}))


@pytest.mark.parametrize("role", list(Role))
def test_no_file_that_a_farm_wrote_is_the_users(role: Role, tmp_path: Path) -> None:
    """Of whichever role: a farm started from a shell that uses it keeps its own servers."""
    state = StateFolder(tmp_path)
    for one in Role:
        write_settings(state.settings_of(one), Settings(broker_url=SecretStr("redis://own/0")))
    environ = {"WINEPRESS_CONFIG": str(state.settings_of(role))}
    assert not names_broker(user_settings(state.settings, environ))


@pytest.mark.parametrize("role", list(Role))
def test_a_farm_keeps_out_of_another_one_that_the_shell_uses(role: Role, tmp_path: Path) -> None:
    """`up --state OTHER` in such a shell starts servers of its own."""
    used = StateFolder(tmp_path / "used")
    used.create()
    write_settings(used.settings_of(role), Settings(broker_url=SecretStr("redis://used/0")))
    environ = {"WINEPRESS_CONFIG": str(used.settings_of(role))}
    assert not names_broker(user_settings(tmp_path / "other" / "winepress.toml", environ))
    hand_written = tmp_path / "mine.toml"
    write_settings(hand_written, Settings(broker_url=SecretStr("redis://mine/0")))
    environ = {"WINEPRESS_CONFIG": str(hand_written)}
    assert names_broker(user_settings(tmp_path / "other" / "winepress.toml", environ))


def test_the_configured_farm_is_the_one_whose_settings_are_named(state: StateFolder) -> None:
    """By the file of any role; settings that no farm wrote name none."""
    for role in Role:
        environ = {"WINEPRESS_CONFIG": str(state.settings_of(role))}
        assert configured_state(environ) == state.path
    for environ in ({}, {"WINEPRESS_CONFIG": ""}, {"WINEPRESS_CONFIG": "/etc/winepress.toml"}):
        assert configured_state(environ) is None


def test_a_farm_that_stands_alone_uses_no_server_of_the_user(tmp_path: Path) -> None:
    """A demo in a shell that names a farm in use must not draw and kill there."""
    environ = {
        "WINEPRESS_BROKER_URL": "redis://render1:6379/0",
        "WINEPRESS_STORE_FOLDER": str(tmp_path),
        "WINEPRESS_S3_BUCKET": "work",
        "WINEPRESS_HOME": "/models",
    }
    given = user_settings(tmp_path / "none.toml", environ, alone=True)
    assert not names_broker(given)
    assert not names_store(given)
    assert (given.s3_bucket, given.home) == ("winepress", Path("/models"))


def test_up_starts_the_farm_that_the_shell_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `down` stops it; ``--state`` wins over both."""
    started: list[Path | None] = []

    def run(options: FarmOptions, _: object) -> int:
        started.append(options.state)
        return 0

    monkeypatch.setattr("winepress_deploy.run_farm.run_here", run)
    used = StateFolder(tmp_path / "used")
    used.create()
    monkeypatch.setenv("WINEPRESS_CONFIG", str(used.settings))
    assert main(["up"]) == 0
    assert main(["up", "--state", str(tmp_path / "other")]) == 0
    monkeypatch.setenv("WINEPRESS_CONFIG", os.devnull)
    assert main(["up"]) == 0
    assert started == [used.path, tmp_path / "other", None]


def test_a_demo_names_its_own_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """Its farm's folder is no matter of whoever reads the message."""
    assert main(["demo", "--out", "/proc/demo"]) == 2
    assert "--out: the state folder cannot be used" in capsys.readouterr().err


def test_a_demo_refuses_what_it_cannot_or_must_not_empty(tmp_path: Path) -> None:
    """It removes the farm of an earlier demo, and nothing else that bears the name."""
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(WrongUsage, match="cannot be used"):
        Demo(tmp_path / "taken").run()
    cow = tmp_path / "farm" / "cow.txt"
    cow.parent.mkdir()
    cow.write_text("moo")
    with pytest.raises(WrongUsage, match="contains other files"):
        Demo(tmp_path).run()
    assert cow.read_text() == "moo"
    state = StateFolder(tmp_path / "busy" / "farm")
    state.create()
    with state.locked(), pytest.raises(WrongUsage, match="already runs"):
        Demo(tmp_path / "busy").run()


@pytest.mark.parametrize("flags", [["--device", "XPU"], ["--engine", "fkae"]])
def test_a_farm_of_impossible_workers_starts_nothing(flags: list[str], tmp_path: Path) -> None:
    """The flag is refused at once, not by a worker that dies after the servers are up."""
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(["up", "--state", str(tmp_path / "state"), *flags])
    with pytest.raises(WrongUsage, match=r"device|engine"):
        arguments.run(arguments)
    assert not (tmp_path / "state").exists()


def test_a_wish_to_stop_interrupts_only_what_wants_to_be_interrupted() -> None:
    """A demo waits for pictures and must not wait to the end; stopping a farm must go on."""
    stop = StopRequest()
    with stop.on_signals():
        with pytest.raises(KeyboardInterrupt), stop.interrupting():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stop.is_hurried()
        with pytest.raises(KeyboardInterrupt), stop.interrupting():
            pytest.fail("it was asked to stop before it began")


def test_the_command_that_stops_a_farm_names_its_folder_where_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever copies it from the terminal stops that farm, and not one that does not run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    other = StateFolder(tmp_path / "my farm")
    other.path.mkdir()
    other.lock.touch()
    assert stop_command(StateFolder(default_state()), {}) == "winepress down"
    assert stop_command(other, {}) == f"winepress down --state '{other.path}'"
    assert stop_command(other, {"WINEPRESS_CONFIG": str(other.settings)}) == "winepress down"
