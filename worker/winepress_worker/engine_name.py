"""The name of a worker's engine, read without importing the engine, which may load torch."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from importlib import metadata

from winepress_shared.errors import WrongUsage
from winepress_worker.fake_settings import FakeSettings

OPENVINO = "openvino"
FAKE = "fake"  #: may have settings after a colon, see `FakeSettings`
NAMES = (OPENVINO, FAKE)
GROUP = "winepress.engines"  #: entry points of engines that other packages bring
#: An engine that no package registers: its name, and where it is found.
_PLACED = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]{0,31})=(?P<place>[A-Za-z_][\w.]{0,99}:[A-Za-z_]\w{0,63})"
)


@dataclass(frozen=True)
class EngineName:
    """``openvino``, ``fake``, ``fake:SETTINGS``, a registered name, or ``NAME=MODULE:FACTORY``."""

    name: str
    fake: FakeSettings | None = None  #: None for other engines
    place: str = ""  #: ``MODULE:FACTORY`` of an engine from outside; see `EngineFactory`

    @classmethod
    def parse(cls, text: str) -> EngineName:
        """Read an engine's name and settings; raises WrongUsage."""
        if placed := _PLACED.fullmatch(text):
            return cls._outside(placed["name"], placed["place"])
        name, _, settings = text.partition(":")
        if name == FAKE:
            return cls(name, FakeSettings.parse(settings))
        if settings:
            raise WrongUsage(
                "takes no settings",
                field="engine",
                value=text,
                allowed=f"{name}, or NAME=MODULE:FACTORY for an engine of your own",
            )
        if name == OPENVINO:
            return cls(name)
        registered = {entry.name: entry.value for entry in metadata.entry_points(group=GROUP)}
        if name not in registered:
            known = ", ".join([*NAMES, *sorted(registered), "NAME=MODULE:FACTORY"])
            raise WrongUsage("unknown engine", field="engine", value=name, allowed=known)
        return cls._outside(name, registered[name])

    @classmethod
    def _outside(cls, name: str, place: str) -> EngineName:
        if name in NAMES:
            raise WrongUsage(
                "is the name of an engine of Winepress",
                field="engine",
                value=name,
                hint="Give yours a name of its own: pictures and `winepress workers` show it",
            )
        package = re.split(r"[.:]", place)[0]
        if not _is_installed(package):
            raise WrongUsage(
                "the module of this engine is not found",
                field="engine",
                value=package,
                hint="Install it, or put the folder that holds it into PYTHONPATH",
            )
        return cls(name, place=place)


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # __main__
        return False
