"""The farm of one machine, without workers: its servers, its secrets, its faults."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from pydantic import SecretStr

from winepress_deploy import ports
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.process import Child
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import StoreRefused, StoreUnreachable, WrongUsage
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

_READY_S = 120


def _services(state: Path, *, flower: bool = False) -> FarmOptions:
    return FarmOptions(state=state, workers=0, flower=flower)


@contextmanager
def _command(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command; it is killed, and its farm with it, if it outlives the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "winepress", *arguments],
        stdout=subprocess.PIPE,
        env=os.environ | environment,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def _broker(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.broker_url.get_secret_value(), decode_responses=True)


def _pid(child: Child) -> int:
    pid = child.pid
    assert pid is not None
    return pid


def _status(url: str, login: str = "") -> int:
    basic = b64encode(login.encode()).decode()
    headers = {"Authorization": f"Basic {basic}"} if login else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _is_usable(settings: Settings) -> bool:
    try:
        open_store(settings).check()
    except StoreUnreachable:
        return False
    return True


def _is_alive(process: psutil.Process) -> bool:
    """False for a zombie too: an orphan's is the business of process 1."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _READY_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _secrets(state: Path) -> list[str]:
    found: dict[str, str] = json.loads(StateFolder(state).credentials.read_text())
    return list(found.values())


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm with every service, shared by the tests that leave it running."""
    with Farm(_services(tmp_path_factory.mktemp("farm"), flower=True)) as running:
        yield running


def test_valkey_answers_with_the_password_and_refuses_without(farm: Farm) -> None:
    """Nobody on the machine can use the broker without reading the private settings."""
    with _broker(farm.settings) as client:
        assert client.ping()
        assert client.info("memory")["maxmemory_policy"] == "noeviction"
    with (
        redis.Redis.from_url(farm.urls["broker"]) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_the_store_has_its_bucket_and_refuses_a_wrong_key(farm: Farm) -> None:
    """A picture goes in and comes out for the farm's own key alone."""
    open_store(farm.settings).put("a/b.txt", b"hello")
    assert open_store(farm.settings).get("a/b.txt") == b"hello"
    wrong = farm.settings.model_copy(update={"s3_secret_access_key": SecretStr("wrong")})
    with pytest.raises(StoreRefused):
        open_store(wrong).get("a/b.txt")


def test_flower_wants_its_password(farm: Farm) -> None:
    """The page opens with the password of the named file, and only with it."""
    password = farm.state.flower_password.read_text().strip()
    assert _status(f"{farm.urls['flower']}/workers", f"winepress:{password}") == 200
    assert _status(f"{farm.urls['flower']}/workers") == 401


@pytest.mark.parametrize("login", ["", "ann:given"])
def test_flower_alone_watches_the_configured_farm(farm: Farm, tmp_path: Path, login: str) -> None:
    """Behind the login that it names: one that it drew, or one that it is given."""
    (port,) = ports.choose(("flower",), {}).values()
    arguments = ("flower", "--port", str(port), "--state", str(tmp_path / "state"))
    own = {"FLOWER_BASIC_AUTH": login, "WINEPRESS_CONFIG": str(farm.state.settings)}
    with _command(*arguments, **own) as command:
        named = command.stdout.readline().strip(")\n").split()[-1] if command.stdout else ""
        assert (named == "FLOWER_BASIC_AUTH") == bool(login)
        expected = login or f"winepress:{Path(named).read_text().strip()}"
        _wait_until(lambda: ports.answers(port) or command.poll() is not None)
        assert _status(f"http://127.0.0.1:{port}/workers", expected) == 200
        assert _status(f"http://127.0.0.1:{port}/workers") == 401
        command.terminate()


def test_a_farm_uses_the_store_that_the_user_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what nobody has named is started."""
    monkeypatch.setenv("WINEPRESS_STORE_FOLDER", str(tmp_path / "pictures"))
    with Farm(_services(tmp_path / "state")) as farm:
        assert list(farm.services) == ["valkey"]
        assert farm.settings.store_folder == tmp_path / "pictures"
        assert Settings.load({}, farm.state.settings) == farm.settings


def test_only_the_owner_can_read_the_state(farm: Farm) -> None:
    """The folders are closed to others, and so is each file that is ours to write."""
    state = farm.state.path
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in [*state.iterdir(), *farm.state.logs.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_no_secret_stands_in_a_command_line_or_a_log(farm: Farm) -> None:
    """Command lines are public, and logs are sent to strangers who are asked for help."""
    secrets = _secrets(farm.state.path)
    assert len(secrets) == 15
    children = psutil.Process().children(recursive=True)
    assert {_pid(child) for child in farm.services.values()} <= {one.pid for one in children}
    texts = ["\0".join(one.cmdline()) for one in children]
    texts += [log.read_text("utf-8", "replace") for log in farm.state.logs.iterdir()]
    assert not [text for text in texts for secret in secrets if secret in text]


def test_every_port_is_local_and_of_the_farms_own_choice(farm: Farm) -> None:
    """No port of a fixed number is opened, which a second farm would find taken."""
    own = farm.state.remembered_ports()
    listening = {
        connection.laddr
        for child in farm.services.values()
        for connection in psutil.Process(_pid(child)).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == {
        *own.values(),
        own["admin.port"] + 10_000,
    }


@pytest.mark.parametrize("name", ["valkey", "seaweedfs", "flower"])
def test_a_killed_service_comes_back_with_its_data(farm: Farm, name: str) -> None:
    """What was accepted before the kill is there after it, and the clients need no new address."""
    with _broker(farm.settings) as client:
        client.set(f"winepress:kept-{name}", "yes")
    open_store(farm.settings).put(f"kept/{name}", b"yes")
    killed = _pid(farm.services[name])

    farm.services[name].kill()
    farm.services[name].wait_ready(_READY_S)

    assert _pid(farm.services[name]) != killed
    with _broker(farm.settings) as client:
        assert client.get(f"winepress:kept-{name}") == "yes"
    assert open_store(farm.settings).get(f"kept/{name}") == b"yes"


def test_a_second_farm_in_the_same_folder_is_refused(farm: Farm) -> None:
    """The refusal shows where the running farm is, and leaves it alone."""
    with pytest.raises(WrongUsage, match="a farm already runs here") as refused:
        Farm(_services(farm.state.path)).__enter__()
    assert farm.urls["s3"] in str(refused.value)
    assert f"export WINEPRESS_CONFIG={farm.state.settings}" in str(refused.value)
    open_store(farm.settings).check()


def test_a_farm_beside_another_keeps_its_data_over_a_restart(farm: Farm, tmp_path: Path) -> None:
    """Two farms share a machine, and one that stops and starts finds everything again."""
    with Farm(_services(tmp_path)) as other:
        with _broker(other.settings) as client:
            client.set("winepress:kept", "yes")
        open_store(other.settings).put("kept", b"yes")
        open_store(farm.settings).check()
        pids = [_pid(child) for child in other.services.values()]
        urls = other.urls
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    with Farm(_services(tmp_path)) as again:
        assert again.urls == urls
        with _broker(again.settings) as client:
            assert client.get("winepress:kept") == "yes"
        assert open_store(again.settings).get("kept") == b"yes"


def test_a_killed_supervisor_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    """Even SIGKILL takes the whole farm along; the next one starts in the same folder."""
    with _command("up", "--state", str(tmp_path), "--workers", "0", "--no-flower") as command:
        assert command.stdout
        for line in command.stdout:
            if "export WINEPRESS_CONFIG" in line:
                break
        children = psutil.Process(command.pid).children(recursive=True)
        assert len(children) == 4  # broker, store, gateway, and what delivers webhooks
        command.kill()
    gone, alive = psutil.wait_procs(children, timeout=_READY_S)
    assert (len(gone), alive) == (4, [])
    with Farm(_services(tmp_path)) as farm:
        open_store(farm.settings).check()


def test_a_detached_farm_runs_until_down(tmp_path: Path) -> None:
    """`up --detach` returns once everything works; `down` once everything is gone."""
    state = ("--state", str(tmp_path))
    with _command("up", *state, "--workers", "0", "--no-flower", "--detach") as up:
        printed = up.communicate(timeout=_READY_S)[0]
    assert up.returncode == 0, printed
    supervisor = psutil.Process(StateFolder(tmp_path).announced()["pid"])
    family = [supervisor, *supervisor.children(recursive=True)]
    try:
        usable = Settings.load({}, StateFolder(tmp_path).settings)
        is_usable = _is_usable(usable)
        for _ in range(2):
            with _command("down", *state) as down:
                printed += down.communicate(timeout=_READY_S)[0]
            assert down.returncode == 0
            assert not [process for process in family if _is_alive(process)]
    finally:
        if _is_alive(supervisor):
            supervisor.kill()
    assert "no farm runs" in printed
    assert (is_usable, _is_usable(usable)) == (True, False)
    assert not [secret for secret in _secrets(tmp_path) if secret in printed]


def test_an_interrupt_while_starting_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C before the farm is ready ends the command, with the code of an interrupt."""
    with _command("up", "--state", str(tmp_path), "--workers", "0", "--no-flower") as command:
        assert command.stdout
        assert command.stdout.readline().startswith("valkey ready")
        children = psutil.Process(command.pid).children(recursive=True)
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=_READY_S)
    assert command.returncode == 130
    assert not [child for child in children if _is_alive(child)]
