"""An argument parser that raises WrongUsage and names the nearest known word."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from winepress_shared.errors import WrongUsage

_INVALID_CHOICE = re.compile(r"argument (?P<name>.+?): invalid choice: '(?P<value>.*)' \(")


class Parser(argparse.ArgumentParser):
    """Its sub-parsers are of the same kind."""

    def __init__(self, **options: Any) -> None:
        # An abbreviation that works today is ambiguous after the next flag.
        super().__init__(**{**options, "allow_abbrev": False})

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown arguments here, where the known flags are at hand."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].partition("=")[0]
            raise WrongUsage(
                "unknown argument",
                value=flag,
                hint=self._nearest(flag, list(self._option_string_actions)),
            )
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage for what argparse complains about."""
        choice = _INVALID_CHOICE.match(message)
        if choice:
            words = [str(word) for action in self._actions for word in action.choices or ()]
            raise WrongUsage(
                f"unknown {choice['name'].lower()}",
                value=choice["value"],
                allowed=", ".join(words),
                hint=self._nearest(choice["value"], words),
            )
        raise WrongUsage(message, hint=self._help)

    def _nearest(self, word: str, known: list[str]) -> str:
        near = difflib.get_close_matches(word, known, n=1)
        return f"Did you mean {near[0]}?" if near else self._help

    @property
    def _help(self) -> str:
        return f"See `{self.prog} --help`"
