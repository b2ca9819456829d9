"""The errors of a request: what HTTP knows and the Python client does not."""

from __future__ import annotations

from typing import ClassVar

from winepress_shared.errors import WinepressError


class RequestRefused(WinepressError):
    """A request that the gateway does not serve; its class decides the status."""

    exit_code = 4
    status: ClassVar[int] = 400  #: of HTTP
    code: ClassVar[str] = "bad-request"  #: stable; programs may compare it
    retry_after_s: float | None = None  #: after which the same request may succeed


class BadRequest(RequestRefused):
    """The request cannot be read."""


class Unauthorized(RequestRefused):
    """No valid key was shown."""

    status = 401
    code = "unauthorized"


class Forbidden(RequestRefused):
    """The key does not give this right."""

    status = 403
    code = "forbidden"


class NoRoute(RequestRefused):
    """The dialect has no such route."""

    status = 404
    code = "no-such-route"


class WrongMethod(RequestRefused):
    """The route has no such method."""

    status = 405
    code = "method-not-allowed"


class RequestTimedOut(RequestRefused):
    """The body did not arrive in time."""

    status = 408
    code = "request-timed-out"


class Gone(RequestRefused):
    """The job existed, and its record has expired."""

    status = 410
    code = "gone"


class BodyTooLarge(RequestRefused):
    """The body exceeds the limit of the route."""

    status = 413
    code = "body-too-large"


class UnsupportedBody(RequestRefused):
    """The route reads no bodies of this media type."""

    status = 415
    code = "unsupported-media-type"


class TooManyRequests(RequestRefused):
    """A limit of the key is reached."""

    status = 429
    code = "too-many-requests"


class ClientLeft(RequestRefused):
    """The client went away: nobody reads this answer."""

    status = 499
    code = "client-left"


class NoWorker(RequestRefused):
    """No live worker can render the job."""

    status = 503
    code = "no-worker"
    retry_after_s = 30.0
