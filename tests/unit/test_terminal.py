"""Text from outside on its way to a terminal."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress.console import Console
from winepress_shared.errors import WrongUsage
from winepress_shared.terminal import (
    plain_handler,
    shown,
    write_json,
    write_line,
)

ROOT = Path(__file__).parents[2]
HOSTILE = "a\x1b[2J\x9b1m\r\n\tb\x00\x7f\u202ec\u2066\u2028d\u2029\ud800 \N{FOX FACE}é"
SHOWN = (
    r"a\x1b[2J\x9b1m\r\n\tb\x00\x7f\u202ec\u2066\u2028d\u2029\ud800"
    " \N{FOX FACE}é"
)
#: Unicode 15, PropList.txt.
BIDI_CONTROL = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


def obeyed(text: str) -> list[str]:
    """What in a text a terminal would do something about."""
    return [
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or ord(character) in BIDI_CONTROL
    ]


def test_what_a_terminal_obeys_is_shown_as_an_escape() -> None:
    """And nothing else is: letters of all languages and pictures stay as they are."""
    assert shown(HOSTILE) == SHOWN
    assert shown(word := "Käfer 森 مرحبا \N{FAMILY} 👩\u200d🚀") == word
    for number in [*range(32), *range(0x7F, 0xA0), *BIDI_CONTROL, 0x2028, 0x2029, 0xDC80]:
        assert shown(chr(number)).startswith("\\")


@given(st.text(st.characters()))
def test_any_text_is_one_line_that_orders_nothing(text: str) -> None:
    """For people and, in ASCII, for programs."""
    stream = io.StringIO()
    write_line(stream, text)
    assert stream.getvalue()[-1] == "\n"
    assert obeyed(stream.getvalue()[:-1]) == []
    stream = io.StringIO()
    write_json(stream, {"text": text})
    line = stream.getvalue()[:-1]
    assert line.isascii()
    assert obeyed(line) == []
    assert json.loads(line) == {"text": text}


def test_results_notes_and_errors_of_a_command_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In as many lines as the command meant."""
    console = Console()
    console.result({}, HOSTILE, "second")
    console.note(HOSTILE)
    console.error(WrongUsage(HOSTILE, field=HOSTILE, value=HOSTILE, hint=HOSTILE))
    Console(json_lines=True).error(WrongUsage(HOSTILE))
    out, err = capsys.readouterr()
    assert out.splitlines()[:2] == [SHOWN, "second"]
    assert json.loads(out.splitlines()[2])["error"]["problem"] == HOSTILE
    assert len(err.split("\n")) == 5
    assert obeyed(out.replace("\n", "") + err.replace("\n", "")) == []


def test_a_log_line_stays_one_and_tracebacks_are_set_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever names a worker cannot write lines of the log."""
    log = logging.Logger("test")
    handler = plain_handler("%(levelname)s: %(message)s")
    handler.setStream(sys.stderr)  # type: ignore[attr-defined]
    log.addHandler(handler)
    log.warning("from %s", HOSTILE)
    try:
        raise ValueError("x\nWARNING: forged\x1b[2J")
    except ValueError:
        log.exception("failed")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == f"WARNING: from {SHOWN}"
    assert rest[0] == "ERROR: failed"
    assert all(line.startswith("  ") for line in rest[1:])
    assert obeyed("".join(rest)) == []


def test_nothing_else_writes_to_a_terminal() -> None:
    """A new command cannot forget it: every other way to standard output is refused here."""
    writers = [
        str(path.relative_to(ROOT))
        for folder in ("producer", "shared", "worker/winepress_worker", "deploy")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "terminal.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (
            ast.unparse(node.func) in ("print", "logging.StreamHandler")
            or ast.unparse(node.func).endswith(
                ("stdout.write", "stderr.write", "_stream.write", "stdout.buffer.write")
            )
        )
    ]
    assert writers == []
