"""The devices OpenVINO sees on this machine. Imports OpenVINO alone, which takes about 0.3 s."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import openvino

from winepress_shared.errors import WrongUsage

_VIRTUAL = ("AUTO", "MULTI", "HETERO")  #: names that hand the work to real devices
_HIDDEN = frozenset({"SUPPORTED_PROPERTIES", "FULL_DEVICE_NAME", "AVAILABLE_DEVICES"})


@dataclass(frozen=True)
class Device:
    """One device as OpenVINO describes it."""

    name: str  #: what ``--device`` takes: CPU, GPU, GPU.1, NPU
    full_name: str
    properties: dict[str, str] = field(default_factory=dict)


@cache
def core() -> Any:
    """One core per process: every core of its own would keep its own threads."""
    return openvino.Core()


def openvino_version() -> str:
    """Release of the OpenVINO runtime, for example ``2026.4.1``."""
    return str(openvino.get_version()).split("-", maxsplit=1)[0]


def list_devices() -> list[Device]:
    """Every device OpenVINO sees, with all properties that can be read."""
    return [
        Device(name, str(core().get_property(name, "FULL_DEVICE_NAME")), _properties(name))
        for name in core().available_devices
    ]


def check_device(device: str) -> None:
    """Raise WrongUsage unless OpenVINO sees every device that ``device`` names."""
    known = core().available_devices
    for name in re.split(r"[:,]", device):
        if name not in _VIRTUAL and not any(
            re.match(rf"{re.escape(name)}(\.|$)", k) for k in known
        ):
            raise WrongUsage(
                "OpenVINO sees no such device", field="device", value=name, allowed=", ".join(known)
            )


def _properties(name: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for key in sorted(set(core().get_property(name, "SUPPORTED_PROPERTIES")) - _HIDDEN):
        try:
            value = core().get_property(name, key)
        except (RuntimeError, TypeError):
            # Some are listed, but only a compiled model has them, or Python has no type for them.
            continue
        values[key] = ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
    return values


def _text(value: Any) -> str:
    """OpenVINO's element types and enumerations by their short names, all else as it prints."""
    if isinstance(value, openvino.Type):
        return str(value.to_string())
    return str(getattr(value, "name", value))
