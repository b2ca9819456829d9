"""Wildcards in prompts: ``{a|b}``, ``{2$$a|b|c}``, ``{1-2$$ and $$a|b|c}``, ``__name__``.

The syntax is that of the dynamic-prompts extension. ``__name__`` is a line of ``name.txt`` in the
folder of wildcards, and may hold wildcards itself. A backslash keeps a brace as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

from winepress_shared.errors import InvalidJob

_MAX_DEPTH = 8  #: of wildcards inside wildcards
_MAX_PARTS = 200  #: wildcards of one text, and the words between them
_MAX_FILE_BYTES = 8 * 2**20
_NAME = re.compile(r"__([A-Za-z0-9-]+(?:[_/][A-Za-z0-9-]+)*)__")
_COUNT = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?\$\$(?:([^$|{}]*)\$\$)?")
_SEPARATOR = ", "


class Wildcards:
    """Expands prompts with the lists of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lists: dict[str, list[str]] = {}

    def pick(self, prompt: str, chance: random.Random) -> str:
        """One of the prompts that ``prompt`` stands for; raises InvalidJob."""
        return "".join(self._pick(part, chance, 0) for part in _parts(prompt))

    def every(self, prompt: str) -> Iterator[str]:
        """All prompts that ``prompt`` stands for, in order, one by one; raises InvalidJob."""
        return self._every(prompt, 0)

    def _pick(self, part: str, chance: random.Random, depth: int) -> str:
        choices, least, most, separator = self._choices(part, depth)
        if not choices:
            return part[1:] if part.startswith("\\") else part
        chosen = chance.sample(choices, chance.randint(least, most))
        texts = [
            "".join(self._pick(inner, chance, depth + 1) for inner in _parts(choice))
            for choice in chosen
        ]
        return separator.join(texts)

    def _every(self, prompt: str, depth: int) -> Iterator[str]:
        # `product` would unroll every list first: a short prompt may stand for billions.
        parts = _parts(prompt)
        if not parts:
            yield ""
            return
        rest = "".join(parts[1:])
        for head in self._readings(parts[0], depth):
            for tail in self._every(rest, depth):
                yield head + tail

    def _readings(self, part: str, depth: int) -> Iterator[str]:
        choices, least, most, separator = self._choices(part, depth)
        if not choices:
            yield part[1:] if part.startswith("\\") else part
            return
        for count in range(least, most + 1):
            for chosen in combinations(choices, count):
                if count == 1:
                    yield from self._every(chosen[0], depth + 1)
                    continue
                for texts in product(*(self._every(choice, depth + 1) for choice in chosen)):
                    yield separator.join(texts)

    def _choices(self, part: str, depth: int) -> tuple[list[str], int, int, str]:
        """What a part offers, how many of it are taken, what joins them; nothing for plain text."""
        name = _NAME.fullmatch(part)
        if not name and not (part.startswith("{") and part.endswith("}")):
            return [], 0, 0, ""
        if depth >= _MAX_DEPTH:
            raise InvalidJob("wildcards inside wildcards go too deep", field="prompt", value=part)
        if name:
            return self._list(name[1]), 1, 1, ""
        inside = part[1:-1]
        count = _COUNT.match(inside)
        choices = _split(inside[count.end() :] if count else inside)
        least = int(count[1]) if count else 1
        most = int(count[2] or least) if count else 1
        if not least <= most <= len(choices):
            raise InvalidJob(
                "asks for more than it offers",
                field="prompt",
                value=part,
                allowed=f"at most {len(choices)}",
            )
        separator = count[3] if count and count[3] is not None else _SEPARATOR
        return choices, least, most, separator

    def _list(self, name: str) -> list[str]:
        if name not in self._lists:
            path = self._folder / f"{name}.txt"
            try:
                with path.open("rb") as file:
                    text = file.read(_MAX_FILE_BYTES).decode("utf-8-sig")
            except (OSError, UnicodeDecodeError):
                raise InvalidJob(
                    "no such list of wildcards",
                    field="prompt",
                    value=f"__{name}__",
                    hint=f"It would be the file {path}",
                ) from None
            lines = [line.strip() for line in text.splitlines()]
            self._lists[name] = [line for line in lines if line and not line.startswith("#")]
        if not self._lists[name]:
            raise InvalidJob("this list is empty", field="prompt", value=f"__{name}__")
        return self._lists[name]


def _parts(prompt: str) -> list[str]:
    """Plain text, ``\\{``, ``{…}`` and ``__name__`` in turn; raises InvalidJob for a lone brace."""
    parts, at = [""], 0
    while at < len(prompt):
        name = _NAME.match(prompt, at)
        if name:
            parts += [name[0], ""]
            at = name.end()
        elif prompt[at] == "{":
            end = _closing(prompt, at)
            parts += [prompt[at:end], ""]
            at = end
        elif prompt[at : at + 2] in ("\\{", "\\}"):
            parts += [prompt[at : at + 2], ""]
            at += 2
        else:
            parts[-1] += prompt[at]
            at += 1
    found = [part for part in parts if part]
    if len(found) > _MAX_PARTS:
        raise InvalidJob("too many wildcards", field="prompt", allowed=f"{_MAX_PARTS // 2}")
    return found


def _closing(prompt: str, start: int) -> int:
    """The place behind the brace that closes the one at ``start``."""
    depth = 0
    for at in range(start, len(prompt)):
        depth += {"{": 1, "}": -1}.get(prompt[at], 0)
        if depth == 0:
            return at + 1
    raise InvalidJob(
        "a brace is not closed", field="prompt", value=prompt, hint="A plain brace is \\{"
    )


def _split(inside: str) -> list[str]:
    """Alternatives, split at the bars outside inner braces."""
    found, depth = [""], 0
    for character in inside:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return found
