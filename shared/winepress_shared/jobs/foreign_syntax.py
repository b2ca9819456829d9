"""Finds prompt syntax of other programs, which models here read as plain words.

Known: attention and emphasis of A1111 and similar programs (``(word:1.3)``, ``((word))``,
``[word]``, ``[a:b:0.5]``, ``(word)++``), networks and lists in angle brackets
(``<lora:name:0.8>``), ``BREAK``, ``AND``, ``embedding:name``, flags of Midjourney (``--ar 16:9``),
and braces. A pair of parentheses alone is plain prose, and so are times, ratios and words of a text
in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MOST_WORDS = 5  #: shown in one warning
_MOST_CHARACTERS = 40  #: of each of them
_INSIDE = r"(?:[^()\[\]\\]|\\.){1,200}?"
_SYNTAX = re.compile(
    "|".join(
        (
            # A digit before a weight without a point is a time or a ratio: (10:30), (16:9).
            rf"\((?=[^()]{{0,200}}[^\W\d]){_INSIDE}(?:(?<!\d):\s*-?\d+(?:\.\d+)?|:\s*-?\d*\.\d+)\s*\)",
            r"\(\([^()]{1,200}\)\)",
            r"\([^()]{1,200}\)(?:\+{1,4}|-{2,4}|\d?\.\d+)(?!\w)",
            r"\[\[?(?!\d+\])[^\[\]]{1,200}\]?\]",
            r"<[a-z]+:[^<>]{1,200}>",
            r"\\[()\[\]]",
            r"\bembedding:[\w./-]+",
            r"(?<!\S)--[a-z]+(?:\s+[\d:.]+)?(?!\S)",
        )
    )
)
_BRACES = re.compile(r"[$%]?\{[^{}]{1,200}\}|__[\w/-]+__")
_CAPITALS = re.compile(r"\b(BREAK|AND)\b")
_WORD = re.compile(r"[^\W\d_]+")


def foreign_syntax(text: str, *, braces: bool = False) -> list[str]:
    """The syntax of other programs in ``text``, in order, each once.

    ``braces`` includes wildcards.
    """
    found = [match[0] for match in _SYNTAX.finditer(text)]
    found += _capitals(text)
    if braces:
        found += [match[0] for match in _BRACES.finditer(text)]
    return list(dict.fromkeys(found))


def warning_of_syntax(found: Sequence[str]) -> str:
    """The warning about the syntax that `foreign_syntax` found."""
    shown = ", ".join(map(_short, found[:_MOST_WORDS]))
    more = f" and {len(found) - _MOST_WORDS} more" if len(found) > _MOST_WORDS else ""
    return f"{shown}{more}: read as plain words, because prompts have no syntax here"


def syntax_of_all(texts: Iterable[str], *, braces: bool = False) -> list[str]:
    """`foreign_syntax` of several texts."""
    found = (each for text in texts for each in foreign_syntax(text, braces=braces))
    return list(dict.fromkeys(found))


def _capitals(text: str) -> list[str]:
    """Every BREAK and AND, except where the words around are capitals too, as in ROCK AND ROLL."""
    if not _CAPITALS.search(text):
        return []
    words = list(_WORD.finditer(text))
    around = ["", *(word[0] for word in words), ""]
    return [
        word[0]
        for place, word in enumerate(words)
        if _CAPITALS.match(text, word.start())
        and not any(len(one) > 1 and one.isupper() for one in around[place : place + 3 : 2])
    ]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
