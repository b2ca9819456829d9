"""Runs only Flower, for the farm in the settings."""

from __future__ import annotations

import os
from collections.abc import Callable

from winepress_deploy.credentials import Credentials
from winepress_deploy.environment import without_others
from winepress_deploy.private_file import write_private
from winepress_deploy.services.flower import ARGV, USER, check_installed, flower_options
from winepress_deploy.state_folder import StateFolder
from winepress_shared.errors import WrongUsage
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings

_PORTS = range(1, 65_536)
_LOGIN = "FLOWER_BASIC_AUTH"  #: compose.yaml sets it


def run_flower(state: StateFolder, address: str, port: int, say: Callable[[str], None]) -> int:
    """Replace this process by Flower; ``FLOWER_*`` environment variables override our options.

    Raises WrongUsage (port, state folder, Flower missing) and BrokerUnreachable.
    """
    check_installed()
    if port not in _PORTS:
        raise WrongUsage("out of range", field="--port", value=port, allowed="1 to 65535")
    Ledger(Settings.load()).ping()
    state.create()
    given = without_others(os.environ)
    if given.get(_LOGIN):
        password, login = "", f"user and password as in {_LOGIN}"
    else:
        given.pop(_LOGIN, None)  # empty, it would let in whoever shows an empty login
        password = Credentials.keep(state.credentials).flower_password.get_secret_value()
        write_private(state.flower_password, f"{password}\n")
        login = f"user {USER}, password in {state.flower_password}"
    # The port in its name separates it from the history of other Flowers of this folder.
    folder = state.subfolder(f"flower-{port}")
    say(f"flower   http://{address}:{port}  ({login})")
    environ = flower_options(folder, port, password, address) | given
    os.execve(ARGV[0], ARGV, environ)  # noqa: S606 - no shell wanted
