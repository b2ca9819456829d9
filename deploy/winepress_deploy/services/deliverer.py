"""The process that delivers webhooks, beside the gateway."""

from __future__ import annotations

import socket
import sys

from winepress_deploy.environment import farm_environment
from winepress_deploy.process import Program
from winepress_deploy.roles import Role
from winepress_deploy.state_folder import StateFolder
from winepress_shared.ledger.outbox import Outbox
from winepress_shared.settings import Settings

NAME = "webhooks"
_GRACE_S = 80.0  #: a little more than the longest `webhook_timeout_s`


def deliverer(state: StateFolder, settings: Settings) -> Program:
    """The deliverer as a service of a farm, with the key of the gateway."""
    outbox = Outbox(settings)
    return Program(
        name=NAME,
        argv=(sys.executable, "-m", "winepress", "webhooks", "run"),
        env=farm_environment(state.settings_of(Role.GATEWAY)),
        folder=state.path,
        log=state.log(NAME),
        is_ready=lambda pid: f"{socket.gethostname()}/{pid}" in outbox.deliverers(),
        grace_s=_GRACE_S,
    )
