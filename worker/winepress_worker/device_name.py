"""Names of devices: as lanes know them, and as OpenVINO does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from winepress_shared.errors import WrongUsage

_REAL = r"CPU|NPU|GPU(?:\.\d+)?"
_LISTED = r"AUTO(?::[A-Z0-9.,]+)?"
_DEVICE = re.compile(rf"(?P<seen>{_REAL}|{_LISTED})(?:=(?P<real>{_REAL}|{_LISTED}))?\Z")


@dataclass(frozen=True)
class DeviceName:
    """``CPU``, ``GPU``, ``GPU.1``, ``NPU``, ``AUTO``, ``AUTO:NPU,CPU``, or a rehearsal ``NPU=CPU``.

    A rehearsal serves, and is driven, as the first name says, and computes on the second: so what
    becomes of a farm with several kinds of devices can be tried on a machine that has one.
    """

    text: str

    @classmethod
    def parse(cls, text: str, field: str = "--device") -> DeviceName:
        """Read what a person typed, in any case; raises WrongUsage naming ``field``."""
        name = text.upper()
        if not _DEVICE.match(name):
            raise WrongUsage(
                "not a device", field=field, value=text, allowed="CPU, GPU, GPU.N, NPU, AUTO[:LIST]"
            )
        return cls(name)

    @property
    def seen(self) -> str:
        """The name by which it serves."""
        return self.text.partition("=")[0]

    @property
    def real(self) -> str:
        """The name OpenVINO is given."""
        return self.text.partition("=")[2] or self.text

    @property
    def device_class(self) -> str | None:
        """``CPU``, ``GPU`` or ``NPU``; None for AUTO, which may pick any."""
        head = self.seen.partition(":")[0].partition(".")[0]
        return None if head == "AUTO" else head

    @property
    def parts(self) -> tuple[str, ...]:
        """The devices that OpenVINO must see for it; none for a bare AUTO."""
        kind, _, listed = self.real.partition(":")
        if kind == "AUTO":
            return tuple(filter(None, listed.split(",")))
        return (self.real,)

    @property
    def is_static(self) -> bool:
        """Whether models are compiled for it in one shape only: an NPU takes no other ones."""
        return re.search(r"\bNPU\b", self.seen) is not None
