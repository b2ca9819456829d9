"""The tokens of a Lua script, and which of them begin a statement."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>\.\.\.|\.\.|[=~<>]=|[-+*/%^#<>=(){}\[\];:,.])
    """,
    re.VERBOSE,
)
_KEYWORDS = frozenset(
    {
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in"),
        *("local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"),
    }
)
_BEGIN = frozenset({"local", "if", "for", "while", "repeat", "return", "break"})
_OPEN = frozenset({"if", "for", "while", "repeat", "function"})
_AFTER_BLOCK = frozenset({"then", "do", "else", "repeat", ";"})
_OPERAND_ENDS = frozenset({")", "]", "}", "...", "end", "nil", "true", "false"})


@dataclass(frozen=True)
class Token:
    """A word of a script, and where it stands."""

    kind: str
    text: str
    first: int
    last: int

    @property
    def is_name(self) -> bool:
        """Whether it is a name, and no keyword."""
        return self.kind == "name" and self.text not in _KEYWORDS

    @property
    def ends_operand(self) -> bool:
        """Whether an operand may end here."""
        return self.kind in ("string", "number") or self.is_name or self.text in _OPERAND_ENDS


class LuaTokens:
    """A script in tokens; raises ValueError for what this reader does not know."""

    def __init__(self, text: str) -> None:
        """``text`` may begin with a line of flags."""
        start = text.index("\n") if text.startswith("#!") else 0
        self.all = list(_tokens(text, start))

    @cached_property
    def begins(self) -> frozenset[int]:
        """Index of the first token of every statement."""
        every = range(len(self.all))
        return frozenset(index for index in every if self._begins_statement(index))

    def _begins_statement(self, index: int) -> bool:
        token = self.all[index]
        if token.text in _BEGIN:
            return True
        before = self.all[index - 1] if index else None
        return token.is_name and (
            before is None or before.text in _AFTER_BLOCK or before.ends_operand
        )

    @cached_property
    def statements(self) -> Sequence[int]:
        """For each token the index of the first one of the innermost statement that it is in."""
        found, current = list[int](), 0
        opened: list[int] = []
        for index, token in enumerate(self.all):
            if index in self.begins:
                current = index
            if token.text in _OPEN:
                opened.append(current)
            elif token.text == "elseif":
                current = opened[-1]
            elif token.text in ("end", "until"):
                current = opened.pop()
            found.append(current)
        return found

    def end_of_statement(self, index: int) -> int:
        """Index after the last token of the simple statement that begins at ``index``."""
        depth = 0
        for place in range(index + 1, len(self.all)):
            text = self.all[place].text
            if depth == 0 and (place in self.begins or text in ("end", "else", "elseif", "until")):
                return place
            depth += (text in _OPEN) - (text == "end")
        return len(self.all)

    def text_at(self, index: int) -> str:
        """The token at ``index``; empty beyond the ends."""
        return self.all[index].text if 0 <= index < len(self.all) else ""


def _tokens(text: str, start: int) -> Iterator[Token]:
    while start < len(text):
        match = _TOKEN.match(text, start)
        if match is None:
            raise ValueError(f"no token of Lua: {text[start : start + 20]!r}")
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[0], match.start(), match.end())
        start = match.end()
