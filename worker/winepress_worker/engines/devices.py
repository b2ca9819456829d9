"""The devices OpenVINO sees on this machine. Imports OpenVINO alone, which takes about 0.3 s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import openvino
from openvino import opset13

from winepress_shared.errors import WrongUsage
from winepress_worker.models.content import check_graph

#: Properties that decide whether a device can use what another has compiled.
_TRAITS = (
    *("DEVICE_ARCHITECTURE", "DEVICE_TYPE", "OPTIMIZATION_CAPABILITIES"),
    *("GPU_DRIVER_VERSION", "NPU_DRIVER_VERSION", "NPU_COMPILER_VERSION"),
    *("GPU_UARCH_VERSION", "GPU_EXECUTION_UNITS_COUNT"),
)
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


def read_graph(path: Path) -> Any:
    """The network at ``path`` with its weights; raises EnvironmentFault and RuntimeError."""
    check_graph(path)
    return core().read_model(path)


def openvino_version() -> str:
    """Release of the OpenVINO runtime, for example ``2026.4.1``."""
    return str(openvino.get_version()).split("-", maxsplit=1)[0]


def list_devices() -> list[Device]:
    """Every device OpenVINO sees, with all properties that can be read."""
    return [
        Device(name, str(core().get_property(name, "FULL_DEVICE_NAME")), _properties(name))
        for name in core().available_devices
    ]


def fingerprint() -> list[str]:
    """What tells this machine's devices and drivers from others, and from older ones."""
    lines = [openvino_version()]
    for name in core().available_devices:
        plugin = core().get_versions(name)[name]
        properties = _properties(name)
        driver = properties.get("GPU_DRIVER_VERSION") or properties.get("NPU_DRIVER_VERSION", "")
        full_name = core().get_property(name, "FULL_DEVICE_NAME")
        lines.append(f"{name}: {full_name}, {plugin.build_number}, {driver}")
    return lines


@cache
def traits_of(name: str, arithmetic: str) -> tuple[str, ...] | None:
    """What a device and its drivers share with every other that may import its blobs.

    That is what OpenVINO's own cache goes by, what we know to matter, and what a compiled network
    requires of the processor, for example its instructions (``RUNTIME_REQUIREMENTS``). None where
    OpenVINO chooses among devices. ``arithmetic`` is the type to compute in, or empty.
    """
    if name.startswith("AUTO"):
        return None
    values = _properties(name)
    wanted = {*_TRAITS, *_cached_by(name)} & set(values)
    found = [f"{key}={values[key]}" for key in sorted(wanted)]
    found.append(str(core().get_property(name, "FULL_DEVICE_NAME")))
    return (str(openvino.get_version()), arithmetic, *found, _requirements(name, arithmetic))


def _cached_by(name: str) -> set[str]:
    """The properties of a device by which OpenVINO tells the blobs of its own cache apart."""
    try:
        return set(core().get_property(name, "CACHING_PROPERTIES"))
    except RuntimeError:
        return set()


def _requirements(name: str, arithmetic: str) -> str:
    """What a network that is compiled for a device now requires of it; empty where it says nothing.

    OpenVINO 2026.4 can be asked whether a device meets what a blob requires
    (``COMPATIBILITY_CHECK``), but Python cannot take the answer. So equal requirements are asked
    for, which is stricter.
    """
    port = opset13.parameter([1], openvino.Type.f32)
    network = openvino.Model([opset13.relu(port)], [port], "requirements")
    hint = {"INFERENCE_PRECISION_HINT": arithmetic} if arithmetic else {}
    try:
        return str(core().compile_model(network, name, hint).get_property("RUNTIME_REQUIREMENTS"))
    except RuntimeError:
        return ""


def check_devices(names: Iterable[str]) -> None:
    """Raise WrongUsage unless OpenVINO sees every one of them."""
    known = core().available_devices
    for name in names:
        if not any(name in (found, found.partition(".")[0]) for found in known):
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
