"""The certificates of a farm's store last, and are made anew before they end."""

from __future__ import annotations

import base64
import stat
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from winepress_deploy.services.certificates import Certificates


def _texts(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.iterdir())]


def test_they_are_made_once_and_private(tmp_path: Path) -> None:
    """A farm that starts again shows what it showed before."""
    Certificates.keep(tmp_path)
    first = _texts(tmp_path)
    assert len(first) == 3
    Certificates.keep(tmp_path)
    assert _texts(tmp_path) == first
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_no_key_of_the_authority_is_left_to_steal(tmp_path: Path) -> None:
    """It signs one certificate and is thrown away."""
    Certificates.keep(tmp_path)
    assert sum(b"PRIVATE KEY" in text for text in _texts(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["missing", "empty", "of another farm"])
@pytest.mark.parametrize("name", ["authority.pem", "certificate.pem", "key.pem"])
def test_what_does_not_belong_together_is_made_anew(name: str, damage: str, tmp_path: Path) -> None:
    """A kill between two writes, or a hand that was in the folder, does not stop a farm."""
    found, other = tmp_path / "own", tmp_path / "other"
    for folder in (found, other):
        folder.mkdir()
        Certificates.keep(folder)
    if damage == "missing":
        (found / name).unlink()
    else:
        (found / name).write_bytes(b"" if damage == "empty" else (other / name).read_bytes())
    assert Certificates.keep(found).is_sound(datetime.now(UTC))


def test_what_went_bad_on_the_disk_is_made_anew(tmp_path: Path) -> None:
    """Wherever the bad byte is: it may name an algorithm or a version that there is not."""
    certificates = Certificates.keep(tmp_path)
    for file in (certificates.authority, certificates.certificate, certificates.key):
        text = file.read_text()
        first, *lines, last = text.strip().split("\n")
        whole = base64.b64decode("".join(lines))
        for place in range(len(whole)):
            spoilt = whole[:place] + bytes([whole[place] ^ 0x2B]) + whole[place + 1 :]
            file.write_text(f"{first}\n{base64.encodebytes(spoilt).decode()}{last}\n")
            with warnings.catch_warnings():  # of numbers that RFC 5280 forbids
                warnings.simplefilter("ignore")
                certificates.is_sound(datetime.now(UTC))
        file.write_text(text)


def test_they_are_renewed_long_before_they_end(tmp_path: Path) -> None:
    """A farm that starts has years, however long it then runs."""
    certificates = Certificates.keep(tmp_path)
    now = datetime.now(UTC)
    assert certificates.is_sound(now + timedelta(days=3 * 365))
    assert not certificates.is_sound(now + timedelta(days=6 * 365))
