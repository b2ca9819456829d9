"""A model hub on this machine that speaks the protocol by which huggingface_hub fetches files."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REVISION = "1" * 40
_LARGE_BYTES = 1000  #: files of more are stored by their SHA-256, as large files are
_FILE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/[0-9a-f]{40}/(?P<name>.+)")
_REPOSITORY = re.compile(r"/api/models/(?P<repository>[^/?]+/[^/?]+)(?:/revision/\w+)?(?:\?.*)?")


class HubServer:
    """Serves the folders below ``root`` as repositories; the other members make it misbehave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.endpoint = ""
        self.gated: set[str] = set()
        self.lies_about: set[str] = set()  #: names of files whose hash is told wrongly
        self.cut_after: int | None = None  #: the next download breaks off after so many bytes
        self.stall_after: int | None = None  #: a download stands still after so many bytes …
        self.go_on = threading.Event()  #: … until this is set
        self.sent: list[tuple[str, int]] = []  #: name and first byte of every download

    @contextmanager
    def running(self) -> Iterator[HubServer]:
        """Answer on a free port until the block ends."""
        hub = self

        class Handler(_Handler):
            served = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def describe(self, repository: str) -> dict[str, Any] | None:
        """What the hub says of a repository; None when there is none."""
        folder = self.root / repository
        if not folder.is_dir():
            return None
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        siblings = [self._sibling(path, path.relative_to(folder).as_posix()) for path in files]
        return {"id": repository, "sha": REVISION, "siblings": siblings}

    def sha256(self, path: Path) -> str:
        """The hash that is told, of a file whose name is lied about a wrong one."""
        if path.name in self.lies_about:
            return "0" * 64
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _sibling(self, path: Path, name: str) -> dict[str, Any]:
        size = path.stat().st_size
        entry: dict[str, Any] = {"rfilename": name, "size": size, "blobId": "b" * 40}
        if size > _LARGE_BYTES:
            entry["lfs"] = {"sha256": self.sha256(path), "size": size, "pointerSize": 128}
        return entry


class _Handler(BaseHTTPRequestHandler):
    served: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def _answer(self, with_body: bool) -> None:
        file, repository = _FILE.fullmatch(self.path), _REPOSITORY.fullmatch(self.path)
        match = file or repository
        name = match["repository"] if match else ""
        if name in self.served.gated:
            return self._refuse(403, "GatedRepo")
        description = self.served.describe(name) if name else None
        if description is None:
            return self._refuse(404, "RepoNotFound")
        if file:
            return self._send_file(self.served.root / name / file["name"], with_body)
        return self._send(200, json.dumps(description).encode(), {}, with_body)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code}, True)

    def _send_file(self, path: Path, with_body: bool) -> None:
        data, first = path.read_bytes(), 0
        headers = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Repo-Commit": REVISION,
            "X-Linked-Size": str(len(data)),
            "Accept-Ranges": "bytes",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        status = 200
        if wanted and int(wanted[1]):
            first, status = int(wanted[1]), 206
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        if with_body:
            self.served.sent.append((path.name, first))
        self._send(status, data[first:], headers, with_body)

    def _send(self, status: int, data: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        cut = self.served.cut_after
        stall = self.served.stall_after
        if with_body and stall is not None and len(data) > stall:
            self.wfile.write(data[:stall])
            self.wfile.flush()
            self.served.go_on.wait()
            self.close_connection = True
        elif with_body and cut is not None and len(data) > cut:
            self.wfile.write(data[:cut])
            self.wfile.flush()
            self.close_connection = True
        elif with_body:
            self.wfile.write(data)
