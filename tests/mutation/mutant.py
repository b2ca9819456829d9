"""One change of a source text that a test is to notice."""

from __future__ import annotations

from dataclasses import dataclass, replace

REMOVED = "removed"


@dataclass(frozen=True)
class Mutant:
    """The characters ``first`` to ``last`` of a source, and what stands there instead."""

    source: str  #: name of the file
    first: int
    last: int
    text: str
    place: int  #: names the statement (Lua) or the function (Python) that has to run to notice it
    line: str = ""  #: where it begins, as it was
    change: str = ""  #: in words; with `line` and `source` it names the mutant

    def applied(self, source: str) -> str:
        """The text of the source with the change."""
        return source[: self.first] + self.text + source[self.last :]

    def named(self, source: str) -> Mutant:
        """The same with the words that name it."""
        begin = source.rfind("\n", 0, self.first) + 1
        end = source.find("\n", self.first)
        line = source[begin : end if end >= 0 else None]
        return replace(self, line=line.strip(), change=self._words(source, begin, end))

    def _words(self, source: str, begin: int, end: int) -> str:
        before = source[self.first : self.last].strip()
        if self.text in ("", "pass") and " " in before.replace("(", " "):
            return REMOVED
        if self.text.lower() in ("return nil", "return none"):
            return self.text
        head = before.partition("\n")[0]
        if self.text == f"not ({before})":
            return f"not ({head}{' …' if head != before else ''})"
        same = source[begin:end].count(before)
        number = f" ({source.count(before, begin, self.first) + 1})" if same > 1 else ""
        return f"{before}{number} → {self.text.strip() or 'nothing'}"
