"""The loopback ports of a farm: chosen once, remembered, chosen anew when somebody took them."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

HOST = "127.0.0.1"
#: Below the range that Linux hands out to outgoing connections (32768 to 60999 unless changed).
_RANGE = range(20_000, 32_768)
_ATTEMPTS = 1_000


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do: a connection of the farm's last run lingering in TIME_WAIT is no obstacle.
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
    names: Sequence[str], remembered: dict[str, int], offsets: dict[str, int] | None = None
) -> dict[str, int]:
    """A free port for each name, the remembered one where it is still free.

    ``offsets`` names those that also need the port at that distance, which must be free as well.
    Raises OSError when no port is free.
    """
    taken: set[int] = set()
    chosen: dict[str, int] = {}
    for name in names:
        offset = (offsets or {}).get(name, 0)
        candidates = [remembered[name]] if name in remembered else []
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
