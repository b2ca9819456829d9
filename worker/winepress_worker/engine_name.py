"""Which engine a worker uses, told without importing one: OpenVINO's brings torch with it."""

from __future__ import annotations

from dataclasses import dataclass

from winepress_shared.errors import WrongUsage
from winepress_worker.fake_settings import FakeSettings

OPENVINO = "openvino"
FAKE = "fake"  #: may have settings behind a colon, see `FakeSettings`
NAMES = (OPENVINO, FAKE)


@dataclass(frozen=True)
class EngineName:
    """``openvino``, ``fake`` or ``fake:SETTINGS``."""

    name: str
    fake: FakeSettings | None = None  #: None for engines that draw

    @classmethod
    def parse(cls, text: str) -> EngineName:
        """Read what a person typed; raises WrongUsage."""
        name, _, settings = text.partition(":")
        if name not in NAMES:
            raise WrongUsage("unknown engine", field="engine", value=name, allowed=", ".join(NAMES))
        if name == FAKE:
            return cls(name, FakeSettings.parse(settings))
        if settings:
            raise WrongUsage("takes no settings", field="engine", value=text, allowed=name)
        return cls(name)
