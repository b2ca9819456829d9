"""Device names, as in lanes and as in OpenVINO."""

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

    A rehearsal serves lanes as the first device and computes on the second: so a farm with several
    kinds of devices can be tried on a machine with one.
    """

    text: str

    @classmethod
    def parse(cls, text: str, field: str = "--device") -> DeviceName:
        """Read a device name in any case; raises WrongUsage naming ``field``."""
        name = text.upper()
        if not _DEVICE.match(name):
            raise WrongUsage(
                "not a valid device",
                field=field,
                value=text,
                allowed="CPU, GPU, GPU.N, NPU, AUTO[:LIST]",
            )
        return cls(name)

    @property
    def seen(self) -> str:
        """The name under which it serves lanes."""
        return self.text.partition("=")[0]

    @property
    def real(self) -> str:
        """The name for OpenVINO."""
        return self.text.partition("=")[2] or self.text

    @property
    def device_class(self) -> str | None:
        """``CPU``, ``GPU`` or ``NPU``; None for AUTO, which may pick any."""
        head = self.seen.partition(":")[0].partition(".")[0]
        return None if head == "AUTO" else head

    @property
    def parts(self) -> tuple[str, ...]:
        """The devices that OpenVINO must find; none for a bare AUTO."""
        kind, _, listed = self.real.partition(":")
        if kind == "AUTO":
            return tuple(filter(None, listed.split(",")))
        return (self.real,)

    @property
    def is_static(self) -> bool:
        """Whether models must be compiled for fixed shapes, as for an NPU."""
        return re.search(r"\bNPU\b", self.seen) is not None
