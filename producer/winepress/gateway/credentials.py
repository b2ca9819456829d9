"""The credentials of a request, and the caller to whom they belong."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers

from winepress.gateway.access import Caller, Scope
from winepress.gateway.api_key import Token
from winepress.gateway.gateway import gateway_of
from winepress.gateway.refusals import Unauthorized
from winepress.gateway.surroundings import check_host, check_origin, is_on_this_machine

#: What clients send who have no key: SillyTavern the Basic of "undefined", others an empty one.
_NOTHING = ("", "undefined", "null", "None")
_HOW = "Send it as `Authorization: Bearer wp_…`; `winepress keys create` makes one"


async def caller_of(request: Request) -> Caller:
    """The caller of a request; raises Unauthorized, Forbidden.

    Without a key only this machine may call, and only while the gateway needs none: then a text
    that is not meant as a key of ours is ignored, because many clients cannot send nothing.
    """
    gateway = gateway_of(request)
    shown = shown_key(request.headers)
    token = Token.parse(shown) if shown else None
    is_needed = gateway.settings.require_keys or not is_on_this_machine(request)
    if not is_needed and not (shown or "").startswith(Token.PREFIX):
        check_host(request)
        check_origin(request, gateway.settings.cors_origins)
        return Caller(gateway.settings.user, frozenset(Scope))
    if token is None:
        problem = "this is not a key of Winepress" if shown else "a key is needed"
        raise Unauthorized(problem, hint=_HOW)
    if is_basic(request.headers):
        check_origin(request, gateway.settings.cors_origins)
    return await gateway.keys.caller(token)


async def _caller_of(
    request: Request,
    _bearer: Annotated[object, Security(HTTPBearer(auto_error=False))],
    _header: Annotated[object, Security(APIKeyHeader(name="X-API-Key", auto_error=False))],
) -> Caller:
    """`caller_of`, with what the OpenAPI document tells makers of clients about keys."""
    return await caller_of(request)


CallerOf = Annotated[Caller, Depends(_caller_of)]  #: the parameter of a route


def shown_key(headers: Headers) -> str | None:
    """The key that a request shows; None if it shows none. Raises Unauthorized if it shows two.

    It may be Bearer, Token (Replicate's older clients), the user or the password of Basic,
    ``X-API-Key``, or ``Authorization`` without a scheme.
    """
    shown = {headers.get("x-api-key", "").strip()}
    shown.update(_of_authorization(value) for value in headers.getlist("authorization"))
    shown.difference_update(_NOTHING)
    if len(shown) > 1:
        raise Unauthorized("the request shows two keys", hint=_HOW)
    return next(iter(shown), None)


def is_basic(headers: Headers) -> bool:
    """Whether a browser may have added the key by itself, as it does with Basic alone."""
    return any(value[:5].lower() == "basic" for value in headers.getlist("authorization"))


def _of_authorization(value: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    match scheme.lower():
        case "bearer" | "token":
            return rest.strip()
        case "basic":
            return _of_basic(rest.strip())
    return value.strip()


def _of_basic(text: str) -> str:
    try:
        user, _, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return text
    return user if Token.parse(user) or password in _NOTHING else password
