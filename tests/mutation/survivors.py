"""The kept list of mutants that no test can notice, and why: ``survivors.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path

from mutation.mutant import Mutant

LIST = Path(__file__).with_name("survivors.toml")

Name = tuple[str, str, str]  #: source, line and change


def name_of(mutant: Mutant) -> Name:
    """What a mutant is called in the list; several of one line may have one name."""
    return mutant.source, mutant.line, mutant.change


class Survivors:
    """The mutants that are known to change nothing that was promised."""

    def __init__(self, text: str) -> None:
        """``text`` has a table for each source, of lines with their changes and the reason."""
        self._why: dict[Name, str] = {}
        for source, entries in tomllib.loads(text).items():
            for entry in entries:
                for change in entry["changes"]:
                    self._why[source, entry["line"], change] = entry["why"]

    @classmethod
    def load(cls) -> Survivors:
        """The kept list."""
        return cls(LIST.read_text("utf-8"))

    def why(self, mutant: Mutant) -> str:
        """Why a mutant may survive; empty if it may not."""
        return self._why.get(name_of(mutant), "")

    def unknown(self, mutants: Collection[Mutant]) -> list[Name]:
        """Entries of the sources of ``mutants`` that name none of them: the line has changed."""
        names, sources = {name_of(one) for one in mutants}, {one.source for one in mutants}
        return [name for name in self._why if name[0] in sources and name not in names]
