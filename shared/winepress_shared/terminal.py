"""Writes text to a terminal, with control characters from outside escaped.

Prompts, names and reasons come from other people's files and machines. Characters that would move
the cursor, start a line, change colours or reverse the order of letters are escaped.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

#: Control characters, separators of lines, lone surrogates, and Unicode's property Bidi_Control.
SERVICE_FORMAT = "%(asctime)s %(levelname)s %(message)s"  #: of the log of a command that serves
_COMMANDING = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(text: str) -> str:
    """``text`` in one line, with control characters escaped like ``\\n`` or ``\\u202e``."""
    return _COMMANDING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def write_line(stream: TextIO, text: str) -> None:
    """Write one line and flush it, for readers of a pipe; raises OSError."""
    stream.write(f"{shown(text)}\n")
    stream.flush()


def write_json(stream: TextIO, values: Mapping[str, Any]) -> None:
    """Write one line of JSON in ASCII; raises OSError."""
    stream.write(f"{json_line(values)}\n")
    stream.flush()


def json_line(values: Mapping[str, Any]) -> str:
    """One line of JSON in ASCII, without its end."""
    # The only control character that `json` does not escape.
    return json.dumps(values, default=str).replace("\x7f", "\\u007f")


class PlainFormatter(logging.Formatter):
    """Writes a record in one line, and a traceback in indented lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line of a record."""
        return shown(super().formatMessage(record))

    def formatException(  # noqa: N802 - logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """The lines of a traceback, indented."""
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {shown(line)}" for line in lines)


def plain_handler(form: str) -> logging.Handler:
    """A handler that writes records to standard error in the form of `logging.Formatter`."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter(form))
    return handler
