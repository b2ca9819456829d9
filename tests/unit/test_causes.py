"""What a person is told about a server that cannot be reached."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from winepress_shared.causes import cause_of, certificate_fault, lack_of


def _wrapped(inner: Exception, *, by_argument: bool = False) -> Exception:
    """As libraries do it: raised from it, while handling it, or with it as an argument."""
    if by_argument:
        return RuntimeError("cannot connect", inner)
    try:
        try:
            raise inner
        except Exception as error:
            raise RuntimeError("cannot connect") from error
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize("by_argument", [False, True])
@pytest.mark.parametrize(
    ("inner", "said"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the host does not exist"),
        (ConnectionRefusedError(111, "Connection refused"), "no server listens there"),
        (TimeoutError("timed out"), "it does not answer"),
        (ConnectionResetError(104, "reset"), "it closed the connection"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "it does not support TLS there"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_the_cause_is_found_below_what_a_library_says(
    inner: Exception, said: str, by_argument: bool
) -> None:
    """However deep it lies; and never the text of the library, which may hold an address."""
    assert cause_of(_wrapped(inner, by_argument=by_argument)).startswith(said)


def test_an_exception_that_tells_nothing_is_named() -> None:
    """Its kind is better than silence, and its text might hold a secret."""
    assert cause_of(RuntimeError("redis://:correct-horse@host")) == "RuntimeError"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (10, "has expired"),
        (9, "is not valid yet"),
        (62, "other host"),
        (18, "is not trusted: self"),
    ],
)
def test_a_certificate_is_told_apart_from_other_faults(code: int, said: str) -> None:
    """Expired, for another name, not trusted: each has another remedy."""
    error = ssl.SSLCertVerificationError("[SSL]")
    error.verify_code, error.verify_message = code, "self-signed certificate"
    assert said in str(certificate_fault(_wrapped(error)))
    assert certificate_fault(_wrapped(ConnectionRefusedError())) is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it asks for a certificate of its clients"),
        ("TLSV1_ALERT_UNKNOWN_CA", "it does not accept the certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "it does not accept the certificate"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "it does not support TLS there"),
    ],
)
def test_what_a_server_says_of_the_certificate_of_a_client_is_told(reason: str, said: str) -> None:
    """OpenSSL's name of the alert is in the exception."""
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    assert cause_of(_wrapped(error)).startswith(said)


@pytest.mark.parametrize(
    ("inner", "lack"),
    [
        (MemoryError(), "Cannot allocate memory"),
        (OSError(errno.EMFILE, "any words"), "Too many open files"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "any words"), None),
    ],
)
def test_what_a_process_lacks_itself_is_no_fault_of_a_server(
    inner: Exception, lack: str | None
) -> None:
    """However deep it lies in what a library says of the server."""
    assert lack_of(_wrapped(inner)) == lack
