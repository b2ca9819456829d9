"""The log of a command that serves: text or JSON, by a flag or by the setting ``log_format``."""

from __future__ import annotations

import argparse
import logging
import os
from itertools import pairwise

from winepress_shared.json_log import begin_json_log
from winepress_shared.outage_log import say_outages_once
from winepress_shared.settings import Settings
from winepress_shared.terminal import SERVICE_FORMAT, plain_handler

_VARIABLE = "WINEPRESS_LOG_FORMAT"
_FLAG = "--log-format"
_JSON = "json"


def add_log_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        _FLAG,
        choices=("text", _JSON),
        help="of the log, on standard error; default: the setting log_format, which is text",
    )


def obey_log_flag(words: list[str]) -> None:
    """Log JSON from the first line on if the words of a command ask for it.

    What a flag asks for is asked of child processes too.
    """
    given = [after for flag, after in pairwise(words) if flag == _FLAG]
    given += [word.partition("=")[2] for word in words if word.startswith(f"{_FLAG}=")]
    if given[-1:] in (["text"], [_JSON]):
        os.environ[_VARIABLE] = given[-1]
    if given[-1:] == [_JSON]:
        begin_json_log()


def configure_log(settings: Settings, form: str = SERVICE_FORMAT, **ids: object) -> None:
    """Log as the settings say, and each outage once.

    ``form`` is that of text, ``ids`` are in every line of JSON.
    """
    if settings.log_format == _JSON:
        begin_json_log(**ids)
    else:
        logging.basicConfig(level=logging.INFO, handlers=[plain_handler(form)], force=True)
    say_outages_once()
