"""Which statements of the scripts, and which functions of the modules, a test runs."""

from __future__ import annotations

import inspect
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, cast

from mutation.changed_code import put_in_scripts
from mutation.lua_tokens import LuaTokens
from mutation.sources import Source
from winepress_shared.ledger.script_server import script_texts

Place = tuple[str, int]  #: name of a source, and `Mutant.place`
_NOTED = re.compile(r"@(\S+\.lua):(\d+)$", re.MULTILINE)
#: Scripts tell the server's log what they run: it is the only thing that no test looks at.
#: Each statement is noted once in a call.
_NOTER = (
    "local NOTE = (function() local noted = {} return function(at) if not noted[at] then "
    "noted[at] = true redis.log(redis.LOG_WARNING, '@' .. at) end end end)() "
)


class Reach:
    """Notes what runs, on a server that writes its log to ``log``."""

    def __init__(self, sources: Iterable[Source], log: Path) -> None:
        self._scripts = [source for source in sources if source.is_lua]
        self._files = {
            str(inspect.getsourcefile(import_module(source.module))): source.name
            for source in sources
            if not source.is_lua
        }
        self._log = log
        self._read = 0

    @contextmanager
    def scripts_tell(self) -> Iterator[None]:
        """Inside, each script notes its statements in the log."""
        scripts = cast("dict[str, str]", script_texts())
        before = dict(scripts)
        put_in_scripts({source: _telling(source) for source in self._scripts})
        for name, text in scripts.items():
            scripts[name] = text.replace("\n", f"\n{_NOTER}", 1)  # after the flags
        try:
            yield
        finally:
            scripts.update(before)

    def of(self, run: Callable[[], None]) -> set[Place]:
        """What is run by ``run``, in this process and by its scripts on the server."""
        found: set[Place] = set()

        def note(frame: FrameType, event: str, _: Any) -> None:
            name = self._files.get(frame.f_code.co_filename) if event == "call" else None
            if name is not None:
                found.add((name, frame.f_code.co_firstlineno))

        threading.setprofile(note)
        sys.setprofile(note)
        try:
            run()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        return found | self._told()

    def _told(self) -> set[Place]:
        with self._log.open("rb") as log:
            log.seek(self._read)
            text = log.read().decode("utf-8", "replace")
            self._read = log.tell()
        return {(name, int(place)) for name, place in _NOTED.findall(text)}


def _telling(source: Source) -> str:
    """The script with a note before each statement."""
    tokens, text = LuaTokens(source.text), source.text
    for index in sorted(tokens.begins, reverse=True):
        place = tokens.all[index].first
        text = f"{text[:place]}NOTE('{source.name}:{place}') {text[place:]}"
    return text
