"""Chooses the loopback ports of a farm: those of the last run, or new ones if they are taken."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

HOST = "127.0.0.1"
#: Below Linux's range for outgoing connections (32768 to 60999 unless changed).
_RANGE = range(20_000, 32_768)
_ATTEMPTS = 1_000


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do, so that connections in TIME_WAIT from the last run do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether a server listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def choose(
    names: Sequence[str],
    remembered: dict[str, int],
    offsets: dict[str, int] | None = None,
    preferred: dict[str, int] | None = None,
) -> dict[str, int]:
    """A free port for each name: the remembered one, or else the preferred one, if it is free.

    ``offsets`` gives, for some names, the distance of a second port that must be free too. Raises
    OSError if no port is free.
    """
    taken: set[int] = set()
    chosen: dict[str, int] = {}
    for name in names:
        offset = (offsets or {}).get(name, 0)
        candidates = [ports[name] for ports in (remembered, preferred or {}) if name in ports]
        candidates += [secrets.choice(_RANGE) for _ in range(_ATTEMPTS)]
        for port in candidates:
            wanted = {port, port + offset}
            if not wanted & taken and all(map(is_free, wanted)):
                chosen[name] = port
                taken |= wanted
                break
        else:
            raise OSError("no free port on 127.0.0.1")
    return chosen
