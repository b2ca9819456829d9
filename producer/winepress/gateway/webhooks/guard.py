"""The guard of webhooks: which machines a message may be sent to.

Whoever submits a job chooses where messages go. Without a guard they could reach the machines
beside this one. So a name is looked up here, every address it has is checked, and the connection
goes to the address that was checked: a name that means something else a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable

from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.network_address import Address, is_public
from winepress_shared.webhook import Destination, read_allowed, read_destination

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: The addresses of a host as text; raises OSError.
Lookup = Callable[[str, int], list[str]]

_LOOKUP_S = 3.0
_MOST_CHECKS = 4  #: names looked up at a time for submissions, so that threads are left for others


class Unreachable(InvalidJob):
    """The host of a webhook cannot be looked up now; it may be known later."""


class WebhookGuard:
    """Decides which destinations are allowed; threads may share it."""

    def __init__(self, allowed: Iterable[str] = (), lookup: Lookup | None = None) -> None:
        """``allowed`` are hosts and networks that may be reached although they are not public.

        Raises WrongUsage for something else.
        """
        self._names: set[str] = set()
        self._networks: list[Network] = []
        self._lookup = lookup or look_up
        self._checks = threading.BoundedSemaphore(_MOST_CHECKS)
        for one in allowed:
            self._allow(one)

    def _allow(self, text: str) -> None:
        try:
            allowed = read_allowed(text)
        except ValueError as error:
            raise WrongUsage(str(error), field="webhook_allow") from None
        if isinstance(allowed, str):
            self._names.add(allowed)
        else:
            self._networks.append(allowed)

    def addresses(self, destination: Destination) -> list[str]:
        """The addresses to connect to, in order of preference.

        Raises InvalidJob if any of them is not allowed, and Unreachable if the host has none now.
        """
        literal = destination.address
        found = self._looked_up(destination) if literal is None else [str(literal)]
        if destination.host not in self._names:
            for text in found:
                self._check(ipaddress.ip_address(text))
        return found

    def check(self, url: str) -> None:
        """Raise InvalidJob if no message may be sent to ``url``.

        A host that cannot be looked up, or not now, passes: each delivery looks again.
        """
        destination = read_destination(url)
        if not self._checks.acquire(blocking=False):
            return
        try:
            self.addresses(destination)
        except Unreachable:
            return
        finally:
            self._checks.release()

    def _looked_up(self, destination: Destination) -> list[str]:
        try:
            found = self._lookup(destination.host, destination.port)
        except OSError as error:
            raise Unreachable(
                f"the host cannot be looked up: {error.strerror or error}", field="webhook"
            ) from None
        if not found:
            raise Unreachable("the host has no address", field="webhook")
        return list(dict.fromkeys(found))

    def _check(self, address: Address) -> None:
        if any(address in network for network in self._networks):
            return
        if not is_public(address):
            raise InvalidJob(
                "the host is not on the public internet",
                field="webhook",
                allowed="public addresses, and those of the setting webhook_allow",
            )


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host; raises OSError after a few seconds too."""
    found: list[str] = []
    errors: list[OSError] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(str(row[4][0]) for row in rows)
        except OSError as error:
            errors.append(error)
        except UnicodeError:
            errors.append(OSError("not a name"))

    # A thread of its own: the system's own limit may be half a minute, and cannot be set.
    thread = threading.Thread(target=ask, name="look up a webhook", daemon=True)
    thread.start()
    thread.join(_LOOKUP_S)
    if thread.is_alive():
        raise TimeoutError(None, f"no answer within {_LOOKUP_S:.0f} s")
    if errors:
        raise errors[0]
    return found
