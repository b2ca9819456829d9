"""Flower, the web page of the farm: read-only and behind a password."""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from pathlib import Path

from winepress_deploy.environment import farm_environment
from winepress_deploy.ports import HOST, answers
from winepress_deploy.process import Program
from winepress_deploy.roles import Role
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import WrongUsage

NAME = "flower"
USER = "winepress"
ARGV = (
    sys.executable,
    "-m",
    "celery",
    "-A",
    "winepress_deploy.services.flower_app",
    "-q",
    "flower",
)
#: Reads its pages without the environment's proxy, because it is on this machine.
PAGES = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PROBE_S = 5.0
_SAVE_MS = 60_000  #: between two saves of its state to disk
_MOST_TASKS = 20_000  #: kept in memory; the default is five times as many
_PURGE_S = 900  #: a worker offline for this long is removed from the list


def check_installed() -> None:
    """Raise WrongUsage if Flower is not installed."""
    if importlib.util.find_spec("flower") is None:
        raise WrongUsage(
            "Flower is not installed", hint='Run `pip install "winepress[local]"`, or --no-flower'
        )


def flower_options(folder: Path, port: int, password: str, address: str = HOST) -> dict[str, str]:
    """Flower's options as environment variables, which keep the password from other users."""
    return {
        "FLOWER_ADDRESS": address,
        "FLOWER_PORT": str(port),
        "FLOWER_BASIC_AUTH": f"{USER}:{password}",
        # Its operations could control the whole farm.
        "FLOWER_READ_ONLY": "true",
        "FLOWER_PERSISTENT": "true",
        "FLOWER_DB": str(folder / "flower.db"),
        "FLOWER_STATE_SAVE_INTERVAL": str(_SAVE_MS),
        "FLOWER_MAX_TASKS": str(_MOST_TASKS),
        "FLOWER_PURGE_OFFLINE_WORKERS": str(_PURGE_S),
        # kwargs holds the lane; result holds job, units and rate.
        "FLOWER_TASKS_COLUMNS": "kwargs,state,result,received,started,runtime,worker,uuid",
    }


def flower(state: StateFolder, port: int, password: str) -> Program:
    """Flower as a service of a farm."""
    check_installed()
    folder = state.subfolder(NAME)
    return Program(
        name=NAME,
        argv=ARGV,
        env=farm_environment(state.settings_of(Role.FLOWER))
        | flower_options(folder, port, password),
        folder=folder,
        log=state.log(NAME),
        is_ready=lambda _: answers(port) and _is_healthy(port),
    )


def _is_healthy(port: int) -> bool:
    try:
        with PAGES.open(f"http://{HOST}:{port}/healthcheck", timeout=_PROBE_S) as page:
            return bool(page.status == 200)
    except OSError:
        return False
