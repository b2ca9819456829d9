"""The credentials of a request, and the caller to whom they belong."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

from winepress.gateway.access import Caller, Scope
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import Unauthorized


async def caller_of(request: Request) -> Caller:
    """The caller of a request; raises Unauthorized. Without a key, only this machine may call."""
    host = request.client.host if request.client else ""
    if _is_loopback(host):
        return Caller(gateway_of(request).settings.user, frozenset(Scope))
    raise Unauthorized("a key is needed")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


CallerOf = Annotated[Caller, Depends(caller_of)]  #: the parameter of a route
