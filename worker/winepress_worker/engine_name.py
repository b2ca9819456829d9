"""The name of a worker's engine, read without importing the engine, which may load torch."""

from __future__ import annotations

from dataclasses import dataclass

from winepress_shared.errors import WrongUsage
from winepress_worker.fake_settings import FakeSettings

OPENVINO = "openvino"
FAKE = "fake"  #: may have settings after a colon, see `FakeSettings`
NAMES = (OPENVINO, FAKE)


@dataclass(frozen=True)
class EngineName:
    """``openvino``, ``fake`` or ``fake:SETTINGS``."""

    name: str
    fake: FakeSettings | None = None  #: None for other engines

    @classmethod
    def parse(cls, text: str) -> EngineName:
        """Read an engine's name and settings; raises WrongUsage."""
        name, _, settings = text.partition(":")
        if name not in NAMES:
            raise WrongUsage("unknown engine", field="engine", value=name, allowed=", ".join(NAMES))
        if name == FAKE:
            return cls(name, FakeSettings.parse(settings))
        if settings:
            raise WrongUsage("takes no settings", field="engine", value=text, allowed=name)
        return cls(name)
