"""The device of each stage of a pipeline: text encoders, denoiser, autoencoder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from winepress_shared.errors import WrongUsage
from winepress_worker.device_name import DeviceName

Properties = Mapping[str, str | int]

#: Stage → prefix of the parts that belong to it.
STAGES = {"text": "text_encoder", "denoise": "unet", "vae": "vae_"}
PRECISIONS = ("f32", "f16", "bf16")  #: types a device can be asked to compute in
_HINT = "INFERENCE_PRECISION_HINT"
_CEILING = "ONEDNN_MAX_CPU_ISA"  #: environment variable: newest instructions oneDNN may use
#: Ceilings below which oneDNN has no 16-bit kernels. OpenVINO looks only at the processor, and
#: would choose bf16 for missing kernels: the model would not compile, or draw a different picture
#: each time.
_WITHOUT_BF16 = frozenset({"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"})


@dataclass(frozen=True)
class Place:
    """The device of one stage, with its properties."""

    device: DeviceName
    properties: Properties

    @property
    def blobs(self) -> str:
        """Folder name of its compiled blobs, by device, type and instructions.

        OpenVINO 2026.4 returns a blob compiled for f32 when bf16 is requested, which then draws
        noise (`tests/integration/test_static_shapes.py`).
        """
        return re.sub(r"\W+", "-", f"{self.device.real} {self.arithmetic} {_ceiling()}".strip())

    @property
    def arithmetic(self) -> str:
        """The type it is asked to compute in; empty if the device chooses."""
        return str(self.properties.get(_HINT, ""))


class Placement:
    """A place for every part of a pipeline."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        """``places`` has an entry for each of `STAGES`."""
        self._places = places

    @classmethod
    def of(
        cls,
        device: DeviceName,
        elsewhere: Sequence[str] = (),
        hints: Sequence[str] = (),
        threads: int = 0,
        *,
        is_bound: bool = True,
    ) -> Placement:
        """Place every stage on ``device`` except those in ``elsewhere``, like ``text=CPU``.

        A hint is a type like ``f32``, for one stage (``vae=f32``) or all. With ``is_bound``,
        OpenVINO may bind its threads to cores. Raises WrongUsage.
        """
        devices = dict.fromkeys(STAGES, device)
        for text in elsewhere:
            stage, _, name = text.partition("=")
            devices[_stage(stage, "--stage-device", text)] = DeviceName.parse(
                name, "--stage-device"
            )
        # In 16 bits some families' autoencoders overflow on GPUs; OpenVINO GenAI forces 32 bits
        # too.
        types = {"vae": "f32"} if devices["vae"].device_class == "GPU" else {}
        for text in hints:
            stage, _, name = text.rpartition("=")
            if name not in PRECISIONS:
                raise WrongUsage(
                    "not a supported type",
                    field="--precision-hint",
                    value=text,
                    allowed=f"[STAGE=]{'|'.join(PRECISIONS)}",
                )
            named = [_stage(stage, "--precision-hint", text)] if stage else list(STAGES)
            types |= dict.fromkeys(named, name)
        return cls(
            {
                stage: Place(where, _properties(where, types.get(stage), threads, is_bound))
                for stage, where in devices.items()
            }
        )

    def place(self, part: str) -> Place:
        """The place of a part like ``text_encoder_2``."""
        return self._places[stage_of(part)]

    @property
    def places(self) -> tuple[Place, ...]:
        """One for each stage."""
        return tuple(self._places.values())


def stage_of(part: str) -> str:
    """The stage that a part like ``text_encoder_2`` belongs to."""
    return next(stage for stage, prefix in STAGES.items() if part.startswith(prefix))


def _stage(name: str, field: str, text: str) -> str:
    if name not in STAGES:
        raise WrongUsage("unknown stage", field=field, value=text, allowed=", ".join(STAGES))
    return name


def _properties(
    device: DeviceName, arithmetic: str | None, threads: int, is_bound: bool
) -> Properties:
    values: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if arithmetic is None and device.real == "CPU" and _ceiling() in _WITHOUT_BF16:
        arithmetic = "f32"
    if arithmetic:
        values[_HINT] = arithmetic
    if device.real == "CPU":  # threads matter on CPUs only
        if threads:
            values["INFERENCE_NUM_THREADS"] = threads
        if not is_bound:
            # OpenVINO counts cores from the first one in every process: two workers of one machine
            # would share a core and leave others idle.
            values["ENABLE_CPU_PINNING"] = False
    return values


def _ceiling() -> str:
    return os.environ.get(_CEILING, "").upper()
