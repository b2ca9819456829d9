"""Makes broken inputs out of valid ones: bytes, numbers, lines, and the structure of JSON."""

from __future__ import annotations

import json
import random
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

MOST_BYTES = 2**18  #: of an input; what is larger meets limits that tests of their own check
_WORDS: tuple[bytes, ...] = (
    *(b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\x1b[2J", b"\xed\xa0\x80"),
    *(b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 30, b"9" * 5000, b"null", b"[]", b"{}", b'""'),
    *(
        b"true",
        b"[" * 3000,
        b'{"a":' * 2000,
        b'"',
        b"'",
        b"{2$$a|b}",
        b"{0$$a}",
        b"__x__",
        b"(a:1.1)",
    ),
    *(b"../../x", b"/etc/passwd", b"file:///etc/passwd", b"http://127.0.0.1/", b"sha256:"),
    *(b"&a *a", b"!!python/object:os.system", b"!!int ''", b"<lora:x:1>", b"Steps: 1, Sampler: a"),
    *("٣".encode(), "ﬁ\u202e\u0000".encode(), "é".encode() * 999, b"1_0", b"0x10", b"+1", b" 1 "),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 7, 64, 2**31, 2**53, 2**63, -(10**30), 0.5, 1.5, 1e308, -0.0),
    *("", "x", "auto", "\x00\n\x1b[2J", "\ud800", "é" * 5000, "9" * 5000, "NaN", "1e999", "-1"),
    *("../../x", "/etc/passwd", "sha256:" + "0" * 64, "data:image/png;base64,AAAA", "AAAA"),
    *([], {}, [[]], {"": {"": {}}}, [None] * 300, {"0": "x", "1e9": "y"}, [0, 1], ["x", {}]),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_PNG = b"\x89PNG\r\n\x1a\n"


class Mutator:
    """An endless supply of inputs from ``seeds``; the same for the same ``chance``."""

    def __init__(self, chance: random.Random, seeds: Sequence[bytes]) -> None:
        self._chance = chance
        self._seeds = seeds
        self._documents = [found for seed in seeds for found in _documents(seed)]
        self._names = sorted({key for one in self._documents for key in _names(one)})

    def __iter__(self) -> Iterator[bytes]:
        ways = (self._flip, self._cut, self._splice, self._repeat, self._word, self._number)
        while True:
            data = self._chance.choice(self._seeds)
            rounds: tuple[int, ...] = (1, 1, 2, 4)
            if self._documents and self._chance.random() < 0.8:
                # Broken bytes are mostly no JSON any more, and reach nothing behind its parser.
                data, rounds = self._document(data), (0, 0, 0, 0, 1, 2)
            for _ in range(self._chance.choice(rounds)):
                data = self._chance.choice(ways)(data)
            if data.startswith(_PNG) and self._chance.random() < 0.7:
                data = with_sums(data)
            yield data[:MOST_BYTES]

    def _at(self, data: bytes) -> int:
        return self._chance.randint(0, len(data))

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data or b"\0")
        for _ in range(self._chance.choice((1, 1, 2, 8))):
            changed[self._chance.randrange(len(changed))] = self._chance.randrange(256)
        return bytes(changed)

    def _cut(self, data: bytes) -> bytes:
        first = self._at(data)
        longest = self._chance.choice((1, 4, 32, len(data)))
        return data[:first] + data[first + self._chance.randint(0, longest) :]

    def _splice(self, data: bytes) -> bytes:
        other = self._chance.choice(self._seeds)
        first = self._at(other)
        return data[: self._at(data)] + other[first : first + self._chance.choice((4, 64, 10**6))]

    def _repeat(self, data: bytes) -> bytes:
        first = self._at(data)
        part = data[first : first + self._chance.choice((1, 8, 64))]
        return data[:first] + part * self._chance.choice((2, 2, 50, 2000)) + data[first:]

    def _word(self, data: bytes) -> bytes:
        first = self._at(data)
        last = first + self._chance.choice((0, 0, 1, 4))
        return data[:first] + self._chance.choice(_WORDS) + data[last:]

    def _number(self, data: bytes) -> bytes:
        found = list(_NUMBER.finditer(data[:4096]))
        if not found:
            return self._word(data)
        one = self._chance.choice(found)
        return data[: one.start()] + self._chance.choice(_WORDS) + data[one.end() :]

    def _document(self, data: bytes) -> bytes:
        """``data`` with one or two places of its JSON changed, if it is JSON."""
        head, newline, body = data.partition(b"\n")
        for before, text in ((b"", data), (head + newline, body)):
            with suppress(ValueError, RecursionError):
                document = json.loads(text)
                for _ in range(self._chance.choice((1, 1, 1, 2, 3))):
                    self._change(document)
                return before + json.dumps(document, ensure_ascii=False).encode(errors="replace")
        return data

    def _change(self, document: Any) -> None:
        container, key = self._chance.choice(list(_places(document)) or [({}, "x")])
        value = self._chance.choice(_VALUES)
        if self._chance.random() < 0.4:
            value = self._chance.choice(self._documents)
            places = list(_places(value)) or [([value], 0)]
            inside, other = self._chance.choice(places)
            value = inside[other]
        if isinstance(container, dict) and self._chance.random() < 0.4:
            key = self._chance.choice(self._names or ["x"])
        container[key] = deepcopy(value)
        if isinstance(container, dict) and self._chance.random() < 0.2:
            container.pop(self._chance.choice(sorted(container)))


def with_sums(png: bytes) -> bytes:
    """A PNG with the right sum for each chunk, so that what is wrong inside of them is read."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + size]
        if at + 12 + size > len(png):
            break
        parts += [png[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + size
    return b"".join(parts) + png[at:]


def _documents(data: bytes) -> Iterator[Any]:
    for text in (data, data.partition(b"\n")[2], *data.splitlines()):
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
            if isinstance(found, dict | list):
                yield found


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document, as a container and what leads from there to it."""
    if not isinstance(value, dict | list):
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        yield from _places(value[key])


def _names(value: Any) -> Iterator[str]:
    return (str(key) for container, key in _places(value) if isinstance(container, dict))
