"""What an address of a machine says about where the machine is."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")  #: all that was ever assigned for the internet
#: Addresses that Python takes for public, and that stand for others or for nobody.
_NOBODYS = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocols
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # Teredo, and other tunnels
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation, which Python does not know yet
        ),
    )
)


def is_loopback(host: str) -> bool:
    """Whether a name or an address means this machine, wherever it is looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet and stands for itself alone."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id is not None or address not in _PUBLIC_IPV6
    ):
        return False
    if any(address in network for network in _NOBODYS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def split_url(url: str) -> SplitResult:
    """The parts of an address; raises ValueError, whose message repeats no part of it."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is invalid
    except ValueError:
        # After an unencoded / ? or # in a password, its rest is parsed as the port.
        raise ValueError(
            "not an address with a port from 0 to 65535; "
            "special characters of a password must be percent-encoded"
        ) from None
    return parts
