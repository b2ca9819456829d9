"""An argument parser that raises WrongUsage and suggests the nearest known word."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.aliases import ALIASES

_INVALID_CHOICE = re.compile(r"argument (?P<name>.+?): invalid choice: '(?P<value>.*)' \(")
_INVALID_NUMBER = re.compile(r"argument (?P<name>.+?): invalid (?P<type>int|float) value: '(.*)'")

#: Fields of a job that another flag gives.
_SIDES = {"width": "size", "height": "size"}


class Parser(argparse.ArgumentParser):
    """A parser whose sub-parsers are of the same class."""

    def __init__(self, **options: Any) -> None:
        # An abbreviation that works today may be ambiguous after the next flag.
        super().__init__(**{**options, "allow_abbrev": False})

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and raise WrongUsage for unknown arguments: here the known flags are at hand."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            raise self._unknown(unknown[0].partition("=")[0])
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage with the complaint of argparse."""
        choice = _INVALID_CHOICE.match(message)
        if choice:
            words = self._choices(choice["name"])
            raise WrongUsage(
                f"unknown {choice['name'].lower()}",
                value=choice["value"],
                allowed=", ".join(words),
                hint=self._nearest(choice["value"], words),
            )
        number = _INVALID_NUMBER.fullmatch(message)
        if number:
            problem = "not a whole number" if number["type"] == "int" else "not a number"
            raise WrongUsage(problem, field=number["name"], value=number[3], hint=self._help)
        raise WrongUsage(message, hint=self._help)

    def _unknown(self, word: str) -> WrongUsage:
        if not word.startswith("-"):
            return WrongUsage(
                "unexpected argument",
                value=word,
                hint=f"Text with spaces needs quotes. {self._help}",
            )
        if self._subparsers is not None:
            return WrongUsage(
                "unknown argument", value=word, hint=f"Flags come after the command. {self._help}"
            )
        return WrongUsage("unknown argument", value=word, hint=self._nearest_flag(word))

    def _choices(self, name: str) -> list[str]:
        """The allowed values of the argument ``name``, which is its flags joined by slashes."""
        for action in self._actions:
            if name in ("/".join(action.option_strings), action.metavar, action.dest):
                return [str(word) for word in action.choices or ()]
        return []

    def _nearest_flag(self, word: str) -> str:
        """The flag of the field that other programs, or our jobs, call ``word``."""
        field = word.lstrip("-").replace("-", "_")
        meant = (field, ALIASES.get(field), _SIDES.get(field))
        for action in self._actions:
            if action.dest in meant:
                if not action.option_strings:
                    return f"{action.metavar or action.dest} is given without a flag. {self._help}"
                return f"Did you mean {action.option_strings[0]}?"
        # Without the dashes, which make short words look alike.
        # `--wait` is the opposite of `--no-wait`.
        flags = {
            flag.lstrip("-"): flag
            for flag in self._option_string_actions
            if flag.startswith("--no-") == word.startswith("--no-")
        }
        near = difflib.get_close_matches(word.lstrip("-"), flags, n=1, cutoff=0.7)
        return f"Did you mean {flags[near[0]]}?" if near else self._help

    def _nearest(self, word: str, known: list[str]) -> str:
        near = difflib.get_close_matches(word, known, n=1)
        return f"Did you mean {near[0]}?" if near else self._help

    @property
    def _help(self) -> str:
        return f"See `{self.prog} --help`"
