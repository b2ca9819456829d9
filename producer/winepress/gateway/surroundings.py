"""Where a request comes from: this machine or another, a program or the page of a stranger.

A page from anywhere can have the user's browser call a gateway on the user's own machine. A key
proves that a request is meant; where no key is needed, the headers of the browser have to.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request

from winepress.gateway.refusals import Forbidden
from winepress_shared.network_address import is_loopback

#: Headers that proxies add. Behind a proxy on this machine every caller seems to be on it.
_PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_READS = ("GET", "HEAD", "OPTIONS")


def is_on_this_machine(request: Request) -> bool:
    """Whether the caller is on this machine, and no proxy stands between."""
    address = request.client.host if request.client else ""
    return is_loopback(address) and not any(name in request.headers for name in _PROXIED)


def check_host(request: Request) -> None:
    """Raise Forbidden if a caller without a key reached this machine under another name.

    The name of a stranger's page may be made to mean 127.0.0.1 after the page has loaded (DNS
    rebinding); then the browser takes the gateway for a part of that page.
    """
    host = request.headers.get("host")
    if host is None or is_loopback(_host_of(f"//{host}")):
        return  # browsers always send the header
    raise Forbidden(
        "without a key this gateway answers to localhost alone",
        value=host[:200],
        hint="Show a key, or reach the gateway as http://localhost",
    )


def check_origin(request: Request, allowed: Collection[str]) -> None:
    """Raise Forbidden if a page from elsewhere wants to change something without showing a key.

    ``allowed`` are origins of pages that may; the word ``*`` means pages that show a key.
    """
    if request.method in _READS and "*" not in allowed:  # with "*" any page can read the answer
        return
    origin = request.headers.get("origin")
    if origin is None:
        is_ours = request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    else:
        own = request.headers.get("host", "").lower()
        is_ours = origin in allowed or (bool(own) and origin.partition("://")[2].lower() == own)
    if not is_ours:
        raise Forbidden(
            "a page from elsewhere may not do this without a key",
            value=origin and origin[:200],
            hint="Show a key, or add the origin of the page to the setting cors_origins",
        )


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
