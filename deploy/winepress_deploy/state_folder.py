"""The folder in which a farm keeps its state."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winepress_deploy.private_file import write_private
from winepress_deploy.roles import Role
from winepress_shared.errors import WrongUsage

_LOCK = "farm.lock"


def default_state() -> Path:
    """The default state folder, by the XDG base directories."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "winepress"


def configured_state(environ: Mapping[str, str]) -> Path | None:
    """The folder of the farm that ``WINEPRESS_CONFIG`` names; None if it is not one of `up`."""
    named = environ.get("WINEPRESS_CONFIG")
    if not named:
        return None
    folder = Path(named).expanduser().resolve().parent
    return folder if (folder / _LOCK).is_file() else None


def stop_command(state: StateFolder, environ: Mapping[str, str]) -> str:
    """The command that stops the farm of this folder, typed in this shell."""
    meant = StateFolder(configured_state(environ) or default_state())
    flag = "" if meant.path == state.path else f" --state {shlex.quote(str(state.path))}"
    return f"winepress down{flag}"


class StateFolder:
    """One farm's folder, readable only by its owner."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.settings = self.path / "winepress.toml"
        self.credentials = self.path / "credentials.json"
        self.flower_password = self.path / "flower-password"
        self.ports = self.path / "ports.json"
        self.running = self.path / "farm.json"
        self.lock = self.path / _LOCK
        self.logs = self.path / "logs"

    def settings_of(self, role: Role) -> Path:
        """The settings file of one role; the operator's is the farm owner's."""
        return self.settings if role is Role.OPERATOR else self.path / f"{role}.toml"

    def create(self, flag: str = "--state") -> None:
        """Make the folder, or check that it is a farm's; raises WrongUsage naming ``flag``."""
        if not self.path.name or any(not character.isprintable() for character in str(self.path)):
            raise WrongUsage("not a usable folder", field=flag, value=str(self.path))
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.lock.exists() and any(self.path.iterdir()):
                raise WrongUsage(
                    "the folder contains other files",
                    field=flag,
                    value=str(self.path),
                    hint="Name an empty or a new folder",
                )
            self.path.chmod(0o700)
            self.lock.touch(mode=0o600)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise WrongUsage(
                f"the state folder cannot be used: {error.strerror}",
                field=flag,
                value=str(self.path),
            ) from None

    def subfolder(self, name: str) -> Path:
        """A private subfolder, created if missing."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        """The log file of a child process."""
        return self.logs / f"{name}.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder; raises BlockingIOError if a running farm holds the lock.

        The kernel releases the lock with its process, so a killed farm leaves none behind.
        """
        with self.lock.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def is_locked(self) -> bool:
        """Whether a running farm holds the lock."""
        try:
            with self.locked():
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def remembered_ports(self) -> dict[str, int]:
        """The ports of the last run; empty if there was none or its record is damaged."""
        found = _read_json(self.ports)
        return {name: port for name, port in found.items() if isinstance(port, int)}

    def remember_ports(self, ports: dict[str, int]) -> None:
        """Save ``ports`` for the next run."""
        write_private(self.ports, json.dumps(ports, indent=2) + "\n")

    def announce(self, pid: int, began: int, urls: dict[str, str]) -> None:
        """Record the running farm for `winepress down` and for a second `winepress up`."""
        write_private(self.running, json.dumps({"pid": pid, "began": began, "urls": urls}) + "\n")

    def announced(self) -> dict[str, Any]:
        """The record of the last farm, which may have ended."""
        return _read_json(self.running)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
