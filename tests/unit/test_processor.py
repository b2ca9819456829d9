"""What a processor's description says of its speed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from winepress_worker.commands import models
from winepress_worker.processor import is_quick_at_8_bits

_OLD = "processor\t: 0\nmodel name\t: An Old One\nflags\t\t: fpu avx avx2 f16c\n\n"


class Stopped(Exception):
    """Raised where preparing would begin."""


@pytest.mark.parametrize(
    ("text", "is_quick"),
    [
        (_OLD, False),
        (_OLD.replace("avx2", "avx2 avx_vnni"), True),
        (_OLD.replace("avx2", "avx512f avx512_vnni"), True),
        (_OLD.replace("avx2", "amx_tile amx_int8"), True),
        (_OLD.replace("avx2", "avx2 not_avx_vnni"), False),
        ("processor\t: 0\nFeatures\t: fp asimd\n", None),
        ("", None),
    ],
)
def test_flags_tell_whether_8_bits_are_quick(
    tmp_path: Path, text: str, is_quick: bool | None
) -> None:
    """What a description does not tell is not guessed."""
    description = tmp_path / "cpuinfo"
    description.write_text(text)
    assert is_quick_at_8_bits(description) is is_quick
    assert is_quick_at_8_bits(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("is_quick", "precision", "is_told"),
    [
        (False, "int8", True),
        (False, "int8-weights", False),
        (True, "int8", False),
        (None, "int8", False),
    ],
)
def test_who_gains_no_time_hears_it_before_the_calibration(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_quick: bool | None,
    precision: str,
    is_told: bool,
) -> None:
    """An hour later it would be of no use."""

    def stop(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr(models, "is_quick_at_8_bits", lambda: is_quick)
    monkeypatch.setattr(models, "prepare", stop)
    parser = argparse.ArgumentParser()
    models.register(parser.add_subparsers())
    arguments = parser.parse_args(["models", "prepare", "vignette", "--precision", precision])
    with pytest.raises(Stopped):
        arguments.run(arguments)
    assert ("neither VNNI nor AMX" in capsys.readouterr().err) is is_told
