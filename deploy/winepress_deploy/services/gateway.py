"""The HTTP gateway of the farm."""

from __future__ import annotations

import importlib.util
import sys
import urllib.request

from winepress.commands.gateway import DEFAULT_PORT
from winepress_deploy.environment import farm_environment
from winepress_deploy.ports import HOST
from winepress_deploy.process import Program
from winepress_deploy.roles import Role
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import WrongUsage

NAME = "gateway"
PREFERRED = {NAME: DEFAULT_PORT}  #: port that clients are told in the documentation
_PROBE_S = 5.0
_GRACE_S = 25.0  #: a little more than it gives the requests in hand
#: Asks without the environment's proxy, because it is on this machine.
_ON_THIS_MACHINE = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check_installed() -> None:
    """Raise WrongUsage if the gateway is not installed."""
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise WrongUsage(
            "the gateway is not installed",
            hint='Run `pip install "winepress[gateway]"`, or --no-gateway',
        )


def gateway(state: StateFolder, port: int) -> Program:
    """The gateway as a service of a farm, with the key of its role."""
    check_installed()
    return Program(
        name=NAME,
        argv=(sys.executable, "-m", "winepress", "gateway", "--port", str(port)),
        env=farm_environment(state.settings_of(Role.GATEWAY)),
        folder=state.path,
        log=state.log(NAME),
        is_ready=lambda _: _is_ready(port),
        grace_s=_GRACE_S,
    )


def _is_ready(port: int) -> bool:
    try:
        with _ON_THIS_MACHINE.open(f"http://{HOST}:{port}/readyz", timeout=_PROBE_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
