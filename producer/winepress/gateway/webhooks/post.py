"""One request to the receiver of a webhook, with a limit on everything it may send back."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from winepress_shared import __version__
from winepress_shared.webhook import Destination

GONE = 410  #: ends the subscription
_MOST_ANSWER_BYTES = 4096  #: of the body of an answer; nothing is done with it
_MOST_ADDRESSES = 3  #: of a host that are tried
_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "connection": "close",
    "content-type": "application/json",
    "user-agent": f"Winepress/{__version__}",
}


@dataclass(frozen=True)
class Answer:
    """What became of a request."""

    status: int | None  #: of HTTP; None: there was no answer
    error: str = ""  #: why it counts as failed; empty: the receiver has accepted
    retry_after_s: float | None = None  #: that the receiver asks for
    is_final: bool = False  #: another try would fail too


def post(
    destination: Destination,
    addresses: Sequence[str],
    body: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
    verify: ssl.SSLContext,
) -> Answer:
    """Send ``body`` to one of ``addresses`` of a destination; blocks for at most ``timeout_s``.

    ``verify`` verifies the receiver's certificate, for the name of the host. No environment
    variable is obeyed, and no redirect.
    """

    sending = _send(destination, addresses, body, headers, timeout_s, verify)
    try:
        return asyncio.run(asyncio.wait_for(sending, timeout_s))
    except TimeoutError:
        return Answer(None, f"no answer within {timeout_s:g} s")
    except httpx.HTTPError as error:
        return Answer(None, _cause(error))


async def _send(
    destination: Destination,
    addresses: Sequence[str],
    body: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
    verify: ssl.SSLContext,
) -> Answer:
    async with httpx.AsyncClient(
        verify=verify, trust_env=False, follow_redirects=False, timeout=timeout_s
    ) as client:
        for place, address in enumerate(addresses[:_MOST_ADDRESSES], 1):
            try:
                return await _send_to(client, destination, address, body, headers)
            except httpx.ConnectError:
                if place == min(len(addresses), _MOST_ADDRESSES):
                    raise
    raise ValueError("no address")


async def _send_to(
    client: httpx.AsyncClient,
    destination: Destination,
    address: str,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    request = client.build_request(
        "POST",
        httpx.URL(
            scheme=destination.scheme,
            host=address,
            port=destination.port,
            raw_path=destination.target.encode("ascii"),
        ),
        content=body,
        headers={**_HEADERS, **headers, "host": _host(destination)},
        extensions={"sni_hostname": destination.host},  # the name that the certificate must have
    )
    response = await client.send(request, stream=True)
    try:
        await _skim(response)
    finally:
        await response.aclose()
    return _answer(response)


def _host(destination: Destination) -> str:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    is_usual = destination.port == {"http": 80, "https": 443}[destination.scheme]
    return host if is_usual else f"{host}:{destination.port}"


async def _skim(response: httpx.Response) -> None:
    """Read a short body, so that a polite receiver is not cut off."""
    read = 0
    async for chunk in response.aiter_raw():
        read += len(chunk)
        if read > _MOST_ANSWER_BYTES:
            return


def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    if 200 <= status < 300:
        return Answer(status)
    if status == GONE:
        return Answer(status, "the receiver wants no more messages of this job", is_final=True)
    if 300 <= status < 400:
        return Answer(status, "the receiver redirects, which is not followed")
    return Answer(
        status,
        f"the receiver answered {status}",
        _retry_after_s(response.headers.get("retry-after")),
    )


def _retry_after_s(text: str | None) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or as a date."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None


def _cause(error: httpx.HTTPError) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return (
        f"the receiver cannot be reached: {text}" if isinstance(error, httpx.ConnectError) else text
    )
