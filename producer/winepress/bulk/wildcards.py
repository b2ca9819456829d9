"""Expansion of prompts with wildcards; their syntax is in `prompt_syntax`.

``__name__`` is a line of ``name.txt`` in the folder of wildcards, and may contain wildcards itself.
A random choice follows the weights. Among all combinations every option counts once, whatever its
weight, unless the weight is 0.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from heapq import nlargest
from itertools import accumulate, combinations
from pathlib import Path

from winepress.bulk.prompt_syntax import (
    MAX_DEPTH,
    Choice,
    ListName,
    Option,
    Pieces,
    parse,
    parse_option,
)
from winepress_shared.errors import InvalidJob
from winepress_shared.regular_file import read_regular

_MAX_FILE_BYTES = 8 * 2**20
_MAX_LINES = 100_000  #: of a list
_MAX_CHARACTERS = 65_536  #: of a line
_MAX_DRAWS = 10_000  #: wildcards of one prompt, because lists may name lists


class Wildcards:
    """Expands prompts with the lists of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lists: dict[str, _Options] = {}
        self._draws = 0  # of the present prompt

    def pick(self, prompt: str, chance: random.Random) -> str:
        """A random expansion of ``prompt``; raises InvalidJob."""
        self._draws = 0
        return self._pick(parse(prompt), chance, 0)

    def every(self, prompt: str) -> Iterator[str]:
        """All expansions of ``prompt``, in order, one by one; raises InvalidJob."""
        try:
            for text in self._every(parse(prompt), 0):
                yield text
                self._draws = 0
        except RecursionError:
            raise InvalidJob("too many wildcards in a row", field="prompt") from None

    def _pick(self, pieces: Pieces, chance: random.Random, depth: int) -> str:
        texts = []
        for piece in pieces:
            if isinstance(piece, str):
                texts.append(piece)
                continue
            options, least, most, separator = self._offer(piece, depth)
            chosen = options.pick(chance.randint(least, most), chance)
            inner = [self._pick(_body(option), chance, depth + 1) for option in chosen]
            texts.append(separator.join(inner))
        return "".join(texts)

    def _every(self, pieces: Pieces, depth: int) -> Iterator[str]:
        # `product` would expand every list first, and a prompt may have billions of expansions.
        if not pieces:
            yield ""
            return
        for head in self._readings(pieces[0], depth):
            for tail in self._every(pieces[1:], depth):
                yield head + tail

    def _readings(self, piece: str | ListName | Choice, depth: int) -> Iterator[str]:
        if isinstance(piece, str):
            yield piece
            return
        options, least, most, separator = self._offer(piece, depth)
        for count in range(least, most + 1):
            for chosen in combinations(options.drawn, count):
                yield from self._joined(chosen, separator, depth + 1)

    def _joined(self, chosen: Sequence[Option], separator: str, depth: int) -> Iterator[str]:
        """Every expansion of the chosen options, joined."""
        if not chosen:
            yield ""
            return
        for head in self._every(_body(chosen[0]), depth):
            if len(chosen) == 1:
                yield head
                continue
            for tail in self._joined(chosen[1:], separator, depth):
                yield head + separator + tail

    def _offer(self, piece: ListName | Choice, depth: int) -> tuple[_Options, int, int, str]:
        """The options of a wildcard, the least and the most to take, and their separator."""
        self._draws += 1
        if depth >= MAX_DEPTH or self._draws > _MAX_DRAWS:
            problem = "nested too deeply" if depth >= MAX_DEPTH else "too many"
            shown = f"__{piece.name}__" if isinstance(piece, ListName) else piece.written
            raise InvalidJob(f"wildcards inside wildcards: {problem}", field="prompt", value=shown)
        if isinstance(piece, ListName):
            piece = Choice((Option((piece,)),), 1, 1, "", f"__{piece.name}__")
        body = piece.options[0].body if len(piece.options) == 1 else ()
        if len(body) == 1 and isinstance(body[0], ListName):
            options = self._list(body[0].name)  # {2$$__list__} takes two different lines
        else:
            options = _Options(piece.options)
        offered = len(options.drawn)
        most = offered if piece.most is None else piece.most
        if not piece.least <= most <= offered:
            raise InvalidJob(
                "more options requested than available",
                field="prompt",
                value=piece.written,
                allowed=f"at most {offered}" if offered else "a weight above 0",
            )
        return options, piece.least, most, piece.separator

    def _list(self, name: str) -> _Options:
        if name not in self._lists:
            self._lists[name] = _Options([parse_option(line) for line in self._lines(name)])
        return self._lists[name]

    def _lines(self, name: str) -> list[str]:
        path = self._folder / f"{name}.txt"
        try:
            data = read_regular(path, _MAX_FILE_BYTES)
            lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise InvalidJob(
                "no such list of wildcards" if is_missing else f"cannot read a list: {reason}",
                field="prompt",
                value=f"__{name}__",
                hint=f"Its file is {path}",
            ) from None
        found = [line for line in lines if line and not line.startswith("#")]
        if any(len(line) > _MAX_CHARACTERS for line in found):
            allowed = f"{_MAX_CHARACTERS} characters"
            raise InvalidJob("a line of this list is too long", field="prompt", allowed=allowed)
        if not 1 <= len(found) <= _MAX_LINES:
            problem = "this list is too long" if found else "this list is empty"
            allowed = f"1 to {_MAX_LINES} lines"
            raise InvalidJob(problem, field="prompt", value=f"__{name}__", allowed=allowed)
        return found


class _Options:
    """The options of a choice, with sums of weights that make choosing quick."""

    def __init__(self, options: Sequence[Option]) -> None:
        self.drawn = [option for option in options if option.weight > 0]
        self._sums = list(accumulate(option.weight for option in self.drawn))

    def pick(self, count: int, chance: random.Random) -> list[Option]:
        """``count`` different options in random order, chosen by their weights."""
        if count == 1:
            return chance.choices(self.drawn, cum_weights=self._sums)
        # Efraimidis and Spirakis 2006: the largest of u^(1/w).
        keys = [(chance.random() ** (1 / option.weight), option) for option in self.drawn]
        return [option for _, option in nlargest(count, keys, key=lambda pair: pair[0])]


def _body(option: Option) -> Pieces:
    return parse(option.body) if isinstance(option.body, str) else option.body
