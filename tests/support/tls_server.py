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


class Authority:
    """An authority of a test's own, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("test authority")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        built = _certificate(self._name, self._name, self._key, 1).add_extension(constraints, True)
        self.certificate = folder / "authority.pem"
        self.certificate.write_bytes(_pem(built.sign(self._key, hashes.SHA256())))

    def sign(self, name: str, address: str = "127.0.0.1") -> ServerFiles:
        """A certificate and its key, for a server or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _certificate(_named(name), self._name, key, 1).add_extension(_at(address), False)
        return _written(self._folder, name, built.sign(self._key, hashes.SHA256()), key)


def self_signed(folder: Path, *, address: str = "127.0.0.1", days: int = 1) -> ServerFiles:
    """A certificate of its own authority for ``address``; of ``-days`` ago where negative."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("test server")
    built = (
        _certificate(name, name, key, days)
        .add_extension(_at(address), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return _written(folder, "server", built.sign(key, hashes.SHA256()), key)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _at(address: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])


def _certificate(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    ends = now + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends) - timedelta(days=1))
        .not_valid_after(ends)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _written(
    folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> ServerFiles:
    files = ServerFiles(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(_pem(certificate))
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

    def __init__(
        self, files: ServerFiles, behind: int | None = None, *, clients: Path | None = None
    ) -> None:
        """``clients`` is the authority of the certificate that every client must show."""
        self.heard = b""  #: what clients said inside TLS
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.certificate, files.key)
        if clients is not None:
            self._context.load_verify_locations(clients)
            self._context.verify_mode = ssl.CERT_REQUIRED
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
        try:
            server = socket.create_connection(("127.0.0.1", self._behind))
        except OSError:
            client.close()
            return
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
