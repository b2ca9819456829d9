"""Why a server cannot be reached, whatever library's exception says so."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

_EXPIRED, _NOT_YET = 10, 9  #: OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED and its counterpart
_OTHER_NAME = frozenset({62, 64})  #: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
#: The first that is met in an exception and those it came from says why.
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "it does not speak TLS there, or another kind of it"),
    (socket.gaierror, "there is no such host"),
    (ConnectionRefusedError, "nothing listens there"),
    (ConnectionResetError, "it closed the connection"),
    (TimeoutError, "it gives no answer"),
)


def certificate_fault(error: BaseException) -> str | None:
    """What is wrong with a server's certificate, as the end of a sentence; None if nothing is."""
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            if one.verify_code == _EXPIRED:
                return "has expired"
            if one.verify_code == _NOT_YET:
                return "is not valid yet"
            if one.verify_code in _OTHER_NAME:
                return "is for another host name"
            return f"is not trusted: {one.verify_message}"
        if type(one).__name__ == "CertificateError":  # urllib3 compares names itself
            return "is for another host name"
    return None


def trust_hint(setting: str) -> str:
    """What to do about it."""
    return f"The setting {setting} names the file of its authority; nothing secret was sent"


def cause_of(error: BaseException) -> str:
    """Why, in a few words that hold no secret."""
    found = list(_chain(error))
    for kind, text in _CAUSES:
        if any(isinstance(one, kind) for one in found):
            return text
    numbered = next((one for one in found if isinstance(one, OSError) and one.strerror), None)
    return str(numbered.strerror) if numbered else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was made of, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        parts = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [part for part in parts if isinstance(part, BaseException)]
