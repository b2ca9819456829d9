"""The files of the page as a browser gets them: compressed, and under a strict policy."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
#: Nothing but this origin's own files is loaded, and no text can become a script.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asks each time, and is told that nothing has changed
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True)
class PageFile:
    """One file, read and compressed once."""

    media_type: str
    plain: bytes
    packed: bytes
    tag: str  #: an ETag

    @classmethod
    def read(cls, source: Traversable) -> PageFile:
        """Read one file of the package."""
        plain = source.read_bytes()
        tag = f'W/"{hashlib.sha256(plain).hexdigest()[:24]}"'
        return cls(
            _TYPES[source.name.rpartition(".")[2]], plain, gzip.compress(plain, mtime=0), tag
        )

    def answer(self, request: Request, status: int = 200) -> Response:
        """The response with this file; 304 for a browser that has it."""
        headers = _HEADERS | {"ETag": self.tag}
        if status == 200 and request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.plain, status, headers, self.media_type)
        headers["Content-Encoding"] = "gzip"
        return Response(self.packed, status, headers, self.media_type)


@cache
def page_files() -> dict[str, PageFile]:
    """Every file of the page, by name."""
    folder = resources.files(__package__).joinpath("files")
    return {one.name: PageFile.read(one) for one in folder.iterdir() if one.is_file()}
