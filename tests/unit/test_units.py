"""The systemd units start what there is, as nobody in particular, each with its own keys alone."""

from __future__ import annotations

import shlex

import pytest
from support.deployed_files import DEPLOY, unit

from winepress.cli import parse
from winepress_deploy.roles import Role
from winepress_shared.ledger.records import BEAT_S

_UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: Unit → whose file of settings it is given.
_ROLES = {
    "winepress-worker@": Role.WORKER,
    "winepress-gateway": Role.GATEWAY,
    "winepress-webhooks": Role.GATEWAY,
    "winepress-metrics": Role.GATEWAY,
    "winepress-flower": Role.FLOWER,
    "winepress-clean": Role.OPERATOR,
}
each_unit = pytest.mark.parametrize(
    "options", [unit(path) for path in _UNITS], ids=[path.stem for path in _UNITS]
)


@each_unit
def test_it_is_started_by_a_command_that_there_is(options: dict[str, list[str]]) -> None:
    """From the environment that the guide makes."""
    (command,) = options["ExecStart"]
    program, *words = shlex.split(command.replace("%I", "GPU.1").replace("%S", "/var/lib"))
    assert program == "/opt/winepress/bin/winepress"
    parse(words)


@each_unit
def test_nobody_runs_as_root_or_gains_a_right(options: dict[str, list[str]]) -> None:
    """`make check-deploy` has systemd rate the rest."""
    assert "User" in options or options["DynamicUser"] == ["yes"]
    assert options["CapabilityBoundingSet"] == [""]
    assert options["NoNewPrivileges"] == ["yes"]
    assert options["ProtectSystem"] == ["strict"]


def test_each_is_given_the_keys_of_its_role() -> None:
    """By a credential, which no other service can read."""
    given = {path.stem: unit(path) for path in _UNITS}
    assert {name: options["LoadCredential"] for name, options in given.items()} == {
        name: [f"winepress.toml:/etc/winepress/{role}.toml"] for name, role in _ROLES.items()
    }
    for options in given.values():
        assert "WINEPRESS_CONFIG=%d/winepress.toml" in options["Environment"]


def test_only_the_worker_is_watched_and_with_patience() -> None:
    """It alone tells systemd of itself, at every beat."""
    watched = {path.stem for path in _UNITS if "WatchdogSec" in unit(path)}
    assert watched == {"winepress-worker@"}
    (seconds,) = unit(DEPLOY / "systemd" / "winepress-worker@.service")["WatchdogSec"]
    assert int(seconds) > 10 * BEAT_S
    assert {path.stem for path in _UNITS if unit(path)["Type"] == ["notify"]} == watched
