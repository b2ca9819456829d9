"""Has the farm delete what is old in its store; see `winepress clean`."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from winepress_deploy.environment import farm_environment
from winepress_deploy.parent_death_signal import dying_with_parent
from winepress_deploy.process import open_log
from winepress_deploy.roles import Role
from winepress_deploy.services.repeated import Repeated
from winepress_deploy.state_folder import StateFolder

NAME = "clean"
_FIRST_S = 300.0  #: after the start of the farm, which has enough to do
_EVERY_S = 6 * 3600.0


class Cleaner(Repeated):
    """Runs ``winepress clean`` now and then with the operator's key, during its ``with`` block.

    A short process each time: it does nothing at all unless the limit keep_objects_days is set.
    """

    def __init__(
        self, state: StateFolder, first_s: float = _FIRST_S, every_s: float = _EVERY_S
    ) -> None:
        super().__init__(NAME, first_s)
        self._state = state
        self._every_s = every_s

    def _turn(self) -> float:
        with contextlib.suppress(OSError):  # no room for a log, no process left: next time
            self._clean()
        return self._every_s

    def _clean(self) -> None:
        with open_log(self._state.log(NAME)) as log:
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                dying_with_parent((sys.executable, "-m", "winepress", "clean")),
                env=dict(farm_environment(self._state.settings_of(Role.OPERATOR))),
                cwd=self._state.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        while process.poll() is None:
            if self._over.wait(0.5):
                process.kill()  # the next one goes on
                process.wait()
