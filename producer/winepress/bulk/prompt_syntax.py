"""The pieces of a prompt with wildcards: text, choices, and names of lists.

The syntax is the documented one of the dynamic-prompts extension: ``{a|b}``, weights
``{3::a|1::b}``, several at once ``{2$$a|b|c}``, ``{1-2$$ and $$a|b|c}``, ``{2-$$…}``, ``{-2$$…}``,
``{2$$__list__}``, ``__list__``, all of them nested, and comment lines that begin with ``# ``. A
backslash keeps one of ``{ } | $ % _ # :`` as it is. Everything else that the extension supports is
refused by name and place: variables, wrapping, samplers, patterns and arguments of lists, Jinja.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from winepress_shared.errors import InvalidJob

MAX_DEPTH = 8  #: of wildcards inside wildcards
_MAX_WILDCARDS = 100  #: of one text
_SEPARATOR = ", "
_NAME = re.compile(r"__([A-Za-z0-9-]+(?:[_/][A-Za-z0-9-]+)*)__")
_COUNT = re.compile(r"\s*(?:(\d{1,3})(-)?(\d{1,3})?|-(\d{1,3}))\$\$(?:([^$|{}]*)\$\$)?")
_WEIGHT = re.compile(r"\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*::")
#: A weight with an invalid number.
_NO_WEIGHT = re.compile(r"\s*+[-+]?(?=[.,]?\d)[\d.,eE+%-]++\s*+::")
_ESCAPED = re.compile(r"\\[{}|$%_#:]")
_PLAIN = re.compile(r"[^\\{}|$%_]+|.", re.DOTALL)
_COMMENT = re.compile(r"^[ \t]*#(?: .*)?$", re.MULTILINE)
_SPACE = re.compile(r"\s+")
#: Constructs of the extension that are not supported → their names.
_FOREIGN = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\$\{[^{}]{0,40}\}?", "a variable of dynamic prompts"),
        (r"%\{", "a wrapping of dynamic prompts"),
        (r"\{%", "a Jinja template"),
        (r"\{\{[^{}|]*\}\}", "a doubled brace (Jinja, or emphasis of NovelAI)"),
        (r"\{[@~!]", "a sampler of dynamic prompts"),
        (r"__[@~!][\w/*-]{1,100}__", "a sampler of dynamic prompts"),
        (r"__[\w/-]{0,100}\*[\w/*-]{0,100}__", "a pattern for several lists"),
        (r"__[\w/-]{1,100}\([^()]{0,200}\)__", "a list with arguments"),
    )
)


@dataclass(frozen=True)
class ListName:
    """``__name__``: one line of a list."""

    name: str


@dataclass(frozen=True)
class Option:
    """One option of a choice; a line of a list is parsed only when it is chosen."""

    body: Pieces | str
    weight: float = 1.0


@dataclass(frozen=True)
class Choice:
    """``{…}``: from ``least`` to ``most`` of its options, joined by ``separator``."""

    options: tuple[Option, ...]
    least: int
    most: int | None  #: None is all of them
    separator: str
    written: str


Pieces: TypeAlias = tuple[str | ListName | Choice, ...]


def parse(prompt: str) -> Pieces:
    """Parse a prompt; raises InvalidJob with the place of a syntax error."""
    if "\n" in prompt and ("{" in prompt or "__" in prompt):
        prompt = _SPACE.sub(_on_one_line, _COMMENT.sub("", prompt)).strip()
    return _Reader(prompt).all()


def _on_one_line(space: re.Match[str]) -> str:
    """What stands for white space: nothing for a line break at the edge of an option."""
    if "\n" not in space[0]:
        return space[0]
    first, end = space.span()
    before, after = space.string[first - 1 : first], space.string[end : end + 1]
    return "" if before in ("{", "|") or after in ("|", "}") else " "


def parse_option(line: str) -> Option:
    """Parse a line of a list, which may begin with a weight."""
    weight = _WEIGHT.match(line)
    return Option(line[weight.end() :], float(weight[1])) if weight else Option(line)


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._wildcards = 0

    def all(self) -> Pieces:
        return self._pieces("", 0)

    def _pieces(self, ends: str, depth: int) -> Pieces:
        """The pieces up to one of the characters ``ends``, or up to the end of the text."""
        found: list[str | ListName | Choice] = []
        words: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in ends:
            piece = self._piece(depth)
            if isinstance(piece, str):
                words.append(piece)
                continue
            self._wildcards += 1
            if self._wildcards > _MAX_WILDCARDS:
                raise self._fault("too many wildcards", allowed=f"{_MAX_WILDCARDS}")
            found += ["".join(words), piece]
            words.clear()
        return tuple(piece for piece in (*found, "".join(words)) if piece != "")

    def _piece(self, depth: int) -> str | ListName | Choice:
        text, at = self._text, self._at
        if _ESCAPED.match(text, at):
            self._at += 2
            return text[at + 1]
        self._refuse_foreign(depth)
        name = _NAME.match(text, at)
        if name:
            self._at = name.end()
            return ListName(name[1])
        if text[at] == "{":
            return self._choice(depth + 1)
        plain = _PLAIN.match(text, at)
        self._at = plain.end() if plain else at + 1
        return text[at : self._at]

    def _refuse_foreign(self, depth: int) -> None:
        for pattern, name in _FOREIGN:
            found = pattern.match(self._text, self._at)
            if found:
                raise self._fault(
                    f"{name} is not supported",
                    value=found[0],
                    hint="Put a backslash before {, }, |, $, %, _, # or : to keep it as it is",
                )
        if depth and self._text.startswith("$$", self._at):
            allowed = "like {2$$a|b}, {1-2$$a|b} or {1-2$$ and $$a|b}"
            raise self._fault("not a number of options", value="$$", allowed=allowed)

    def _choice(self, depth: int) -> Choice:
        start = self._at
        if depth > MAX_DEPTH:
            raise self._fault("wildcards are nested too deeply", allowed=f"{MAX_DEPTH}")
        count = _COUNT.match(self._text, start + 1)
        self._at = count.end() if count else start + 1
        options = [self._option(depth)]
        while self._text.startswith("|", self._at):
            self._at += 1
            options.append(self._option(depth))
        if self._at >= len(self._text):
            self._at = start
            value = self._text[start:]
            raise self._fault(
                "a brace is not closed", value=value, hint="Write \\{ for a plain brace"
            )
        self._at += 1
        least, most = _bounds(count)
        separator = count[5] if count and count[5] is not None else _SEPARATOR
        return Choice(tuple(options), least, most, separator, self._text[start : self._at])

    def _option(self, depth: int) -> Option:
        weight = _WEIGHT.match(self._text, self._at)
        no_weight = _NO_WEIGHT.match(self._text, self._at)
        if no_weight and not weight:
            allowed = "a plain number of up to 9 digits, 0 or more"
            raise self._fault("not a weight", value=no_weight[0], allowed=allowed)
        if weight:
            self._at = weight.end()
        return Option(self._pieces("|}", depth), float(weight[1]) if weight else 1.0)

    def _fault(self, problem: str, **details: str) -> InvalidJob:
        place = f"at character {self._at + 1} of the prompt"
        return InvalidJob(f"{problem}, {place}", field="prompt", **details)


def _bounds(count: re.Match[str] | None) -> tuple[int, int | None]:
    """The least and the most options of ``2$$``, ``1-2$$``, ``2-$$`` or ``-2$$``; else 1 and 1."""
    if count is None:
        return 1, 1
    if count[4] is not None:
        return 1, int(count[4])
    least = int(count[1])
    if count[2] is None:
        return least, least
    return least, None if count[3] is None else int(count[3])
