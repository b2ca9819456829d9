"""Explains why a server cannot be reached, from the exceptions of any library."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

#: Errors of a process or machine that has reached a limit of its own: memory, open files, buffers.
_LIMITS = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS})
_APPENDING = "MISCONF Errors writing to the AOF file: "
_REASON_CHARACTERS = 80  #: of what another program says
_EXPIRED, _NOT_YET = 10, 9  #: OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED and its counterpart
_OTHER_NAME = frozenset({62, 64})  #: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_REFUSED = ("CERTIFICATE", "_CA", "DECRYPT_ERROR")  #: in alerts of TLS over a client's certificate
#: The first match in the chain of exceptions is the cause.
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (
        ssl.SSLEOFError,
        "it ended the connection, as where clients must show a certificate",
    ),
    (ssl.SSLError, "it does not support TLS there, or not this version"),
    (socket.gaierror, "the host does not exist"),
    (ConnectionRefusedError, "no server listens there"),
    (ConnectionResetError, "it closed the connection"),
    (TimeoutError, "it does not answer"),
)


class ToldCause(Exception):
    """An error whose text is a cause in a few words, without secrets."""


def certificate_fault(error: BaseException) -> str | None:
    """The fault of a server's certificate, as the end of a sentence; None if there is none."""
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            if one.verify_code == _EXPIRED:
                return "has expired"
            if one.verify_code == _NOT_YET:
                return "is not valid yet"
            if one.verify_code in _OTHER_NAME:
                return "is for another host name"
            return f"is not trusted: {one.verify_message}"
        if type(one).__name__ == "CertificateError":  # urllib3's own check of the name
            return "is for another host name"
    return None


def disk_fault(answer: str) -> str:
    """What Redis says of the disk of its append-only file, to end a sentence; empty for nothing."""
    reason = answer.partition(_APPENDING)[2].partition(" script:")[0][:_REASON_CHARACTERS]
    return f", because its disk fails ({reason})" if reason else ""


def lack_of(error: BaseException) -> str | None:
    """What this process lacks to ask a server, in a few words; None if the fault is elsewhere."""
    for one in _chain(error):
        if isinstance(one, MemoryError):
            return os.strerror(errno.ENOMEM)
        if isinstance(one, OSError) and one.errno in _LIMITS:
            return os.strerror(one.errno)
    return None


def trust_hint(setting: str) -> str:
    """What to do about an untrusted certificate."""
    return f"The setting {setting} names the file of its authority; nothing secret was sent"


def cause_of(error: BaseException) -> str:
    """The cause in a few words, without secrets."""
    found = list(_chain(error))
    alerts = [getattr(one, "reason", "") or "" for one in found if isinstance(one, ssl.SSLError)]
    if any("ALERT_CERTIFICATE_REQUIRED" in alert for alert in alerts):
        return "it asks for a certificate of its clients, and none was shown"
    if any("ALERT" in alert and any(word in alert for word in _REFUSED) for alert in alerts):
        return "it does not accept the certificate that was shown to it"
    told = next((one for one in found if isinstance(one, ToldCause)), None)
    if told is not None:
        return str(told)
    for kind, text in _CAUSES:
        if any(isinstance(one, kind) for one in found):
            return text
    numbered = next((one for one in found if isinstance(one, OSError) and one.strerror), None)
    return str(numbered.strerror) if numbered else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all its causes, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        parts = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [part for part in parts if isinstance(part, BaseException)]
