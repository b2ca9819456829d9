"""The certificates by which the parts of a farm's store identify each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from winepress_deploy.ports import HOST
from winepress_deploy.private_file import write_private
from winepress_shared.errors import WrongUsage

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise WrongUsage(
        f"a part of the farm is not installed: {error.name}",
        hint='Run `pip install "winepress[local]"`',
    ) from None

_LIFE = timedelta(days=3650)
_LEAST_LEFT = timedelta(days=1825)  #: least remaining validity when a farm starts
_SKEW = timedelta(days=1)  #: tolerance for clocks that are set back
#: Errors of reading a missing or damaged certificate.
_UNSOUND = (
    *(OSError, ValueError, TypeError),
    *(InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion),
)


@dataclass(frozen=True)
class Certificates:
    """An authority and the one certificate it signed, which every part of a farm's store uses."""

    authority: Path
    certificate: Path
    key: Path  #: of the certificate; the authority's own key is discarded, so it can sign no other

    @classmethod
    def below(cls, folder: Path) -> Certificates:
        """Their paths in ``folder``, whether or not the files exist."""
        return cls(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")

    @classmethod
    def keep(cls, folder: Path) -> Certificates:
        """Those in ``folder``, made again if they are missing, damaged or about to expire."""
        found = cls.below(folder)
        if not found.is_sound(datetime.now(UTC)):
            found._make(datetime.now(UTC))
        return found

    def is_sound(self, now: datetime) -> bool:
        """Whether the three belong together and are valid long enough."""
        try:
            authority = x509.load_pem_x509_certificate(self.authority.read_bytes())
            own = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self.key.read_bytes(), None)
            own.verify_directly_issued_by(authority)
        except _UNSOUND:
            return False
        ends = min(authority.not_valid_after_utc, own.not_valid_after_utc)
        return key.public_key() == own.public_key() and ends - now > _LEAST_LEFT

    def _make(self, now: datetime) -> None:
        authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        name = _name("winepress store authority")
        authority = (
            _begun(name, name, authority_key, now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        own = (
            _begun(_name("winepress store"), name, key, now)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        write_private(self.authority, authority.public_bytes(pem).decode())
        write_private(self.certificate, own.public_bytes(pem).decode())
        secret = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self.key, secret.decode())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
    )
