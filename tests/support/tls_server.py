"""A TLS server for tests: certificates of every kind, and a door that notes what came through."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_BLOCK = 65_536


@dataclass(frozen=True)
class ServerFiles:
    """What a server shows, and what a client must be given to believe it."""

    certificate: Path
    key: Path


def self_signed(folder: Path, *, address: str = "127.0.0.1", days: int = 1) -> ServerFiles:
    """A certificate of its own authority for ``address``; of ``-days`` ago where negative."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test server")])
    now = datetime.now(UTC)
    ends = now + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends) - timedelta(days=1))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = ServerFiles(folder / "server.pem", folder / "server.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


class TlsDoor:
    """Speaks TLS on a port of its own, and plainly with the server behind it, if there is one."""

    def __init__(self, files: ServerFiles, behind: int | None = None) -> None:
        self.heard = b""  #: what clients said inside TLS
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.certificate, files.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(raw)
            self._threads.append(threading.Thread(target=self._serve, args=(raw,)))
            self._threads[-1].start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        self._open.append(client)
        if self._behind is None:
            self._pump(client, None)
            return
        server = socket.create_connection(("127.0.0.1", self._behind))
        self._open.append(server)
        back = threading.Thread(target=self._pump, args=(server, client))
        self._threads.append(back)
        back.start()
        self._pump(client, server)

    def _pump(self, source: socket.socket, target: socket.socket | None) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                if isinstance(source, ssl.SSLSocket):
                    self.heard += data
                if target is not None:
                    target.sendall(data)
        if target is not None:
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
