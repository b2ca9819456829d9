"""Bodies of requests: limited in size and time before anything reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from winepress.gateway.refusals import BadRequest, BodyTooLarge, RequestTimedOut, UnsupportedBody
from winepress_shared.json_text import parse_json
from winepress_shared.regular_file import size_text

MAX_BODY_BYTES = 64 * 2**20  #: a picture of 32 MiB in base64, and a mask
MAX_FORM_PARTS = 64  #: fields of a form, and files
#: Files and batches; they are written to the disk as they arrive.
MAX_LARGE_BODY_BYTES = 201 * 2**20
LARGE_BODIES = ("/v1/files", "/v1/batches")
_BODY_S = 120.0  #: for a whole body to arrive
_LARGE_BODY_S = 600.0


class BodyLimits:
    """Refuses bodies that are too large or too slow, whichever route they are for."""

    def __init__(self, app: ASGIApp, most: int = MAX_BODY_BYTES, body_s: float = _BODY_S) -> None:
        self._app = app
        self._most = most
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most, body_s = self._most, self._body_s
        if scope["path"] in LARGE_BODIES:
            most, body_s = MAX_LARGE_BODY_BYTES, _LARGE_BODY_S
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > most:
                receive = _refusing(most)
        deadline = asyncio.get_running_loop().time() + body_s
        taken, is_whole = 0, False

        async def limited() -> Message:
            nonlocal taken, is_whole
            if is_whole:  # what follows is the end of the connection
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTimedOut("the body did not arrive in time") from None
            taken += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if taken > most:
                raise too_large(most)
            return message

        await self._app(scope, limited, send)


def _refusing(most: int) -> Receive:
    async def receive() -> Message:
        raise too_large(most)

    return receive


def too_large(most: int) -> BodyTooLarge:
    """The error for a body of more than ``most`` bytes."""
    return BodyTooLarge("the body is too large", allowed=f"up to {size_text(most)}")


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in a body, whatever its media type is said to be; empty for no body.

    Raises BadRequest.
    """
    data = await read_bytes(request)
    return parse_object(data) if data.strip() else {}


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``; raises BadRequest."""
    try:
        values = parse_json(data.decode("utf-8-sig"))
    except ValueError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise BadRequest("the body must be a JSON object")
    return values


async def read_bytes(request: Request) -> bytes:
    """The whole body; raises BadRequest when the client went away."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise BadRequest("the connection was closed before the body had arrived") from None


async def read_chunks(request: Request) -> AsyncIterator[bytes]:
    """The body piece by piece; raises BadRequest when the client went away."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise BadRequest("the connection was closed before the body had arrived") from None


async def read_form(request: Request, most_bytes: int = MAX_BODY_BYTES) -> FormData:
    """The fields and files of a multipart or urlencoded body.

    A file is at most ``most_bytes``. Raises BadRequest or UnsupportedBody.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise UnsupportedBody("this route reads a form", value=kind, allowed="multipart/form-data")
    try:
        return await request.form(
            max_files=MAX_FORM_PARTS, max_fields=MAX_FORM_PARTS, max_part_size=most_bytes
        )
    except (MultiPartException, HTTPException) as error:
        reason = error.detail if isinstance(error, HTTPException) else error.message
        raise BadRequest(f"the form cannot be read: {reason}") from None
    except ClientDisconnect:
        raise BadRequest("the connection was closed before the body had arrived") from None
