"""The pages of this project: their blocks of code, their links, the words they set as code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_RUN = "not-run"  #: behind the language of a block that cannot run on a test's farm
_BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
_NESTED = re.compile(r"\$\(([^()]*)\)")
_ENDS = {";", "&", "&&", "|", "||", "(", ")", ">", ">>", "<"}


@dataclass(frozen=True)
class Block:
    """One fenced block: ``sh``, ``sh not-run``, ``python``, or ``csv night.csv`` for a file."""

    page: Path
    line: int
    language: str
    word: str  #: behind the language: a file's name, `NOT_RUN` or nothing
    text: str

    @property
    def is_run(self) -> bool:
        return self.language in ("sh", "python") and self.word != NOT_RUN

    @property
    def is_python(self) -> bool:
        """Whether it is a whole program of Python."""
        return self.is_run and self.language == "python"

    @property
    def commands(self) -> Iterator[list[str]]:
        """The words of every ``winepress`` command in a block of the shell."""
        if self.language == "sh":
            yield from commands(self.text)


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def prose(self) -> str:
        """The page without its blocks; they leave as many lines."""
        return _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        found = []
        for match in _BLOCK.finditer(self.text):
            language, _, word = match["info"].partition(" ")
            line = self.text.count("\n", 0, match.start()) + 1
            found.append(Block(self.path, line, language, word.strip(), match["text"]))
        return found

    @property
    def spans(self) -> list[str]:
        """What stands between single backticks."""
        return _SPAN.findall(self.prose)

    @property
    def links(self) -> list[str]:
        return [link for link in _LINK.findall(self.prose) if "://" not in link]

    @property
    def anchors(self) -> set[str]:
        """The headings as GitHub names them in an address."""
        plain = (re.sub(r"[^\w\- ]", "", title).lower() for title in _HEADING.findall(self.prose))
        return {title.replace(" ", "-") for title in plain}


def pages() -> list[Page]:
    """Every page but those of what is installed beside the project."""
    found = [*ROOT.glob("*.md")]
    for folder in ("docs", "examples", "deploy", "worker"):
        found += (ROOT / folder).rglob("*.md")
    return [Page(path) for path in sorted(found)]


def commands(text: str) -> Iterator[list[str]]:
    """The words behind each ``winepress`` in lines of the shell, those within $(…) too."""
    text = text.replace("\\\n", " ")
    for line in text.splitlines():
        yield from (each for nested in _NESTED.findall(line) for each in commands(nested))
        line = _NESTED.sub("NESTED", line).replace(" 2>", " >")
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _ENDS:
                words.append(word)
                continue
            own = list(dropwhile(re.compile(r"[A-Z_]+=").match, words))
            if own and Path(own[0]).name == "winepress":
                yield own[1:]
            words = []
