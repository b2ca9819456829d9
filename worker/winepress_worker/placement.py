"""Where each stage of a pipeline is computed: text encoders, denoiser, autoencoder."""

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
#: Ceilings below which oneDNN has no 16-bit kernels. OpenVINO asks the processor alone, and would
#: choose bf16 for kernels that are not there: the model does not compile, or draws another picture
#: each time.
_WITHOUT_BF16 = frozenset({"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"})


@dataclass(frozen=True)
class Place:
    """The device of one stage, and what it is asked for."""

    device: DeviceName
    properties: Properties

    @property
    def blobs(self) -> str:
        """Name of the folder for what was compiled for it, by device, type and instructions.

        OpenVINO 2026.4 hands a blob compiled for f32 to whoever asks for bf16, and that then draws
        noise (`tests/integration/test_static_shapes.py`).
        """
        hint = self.properties.get(_HINT, "")
        return re.sub(r"\W+", "-", f"{self.device.real} {hint} {_ceiling()}".strip())


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
        """Every stage on ``device`` but those named in ``elsewhere``, like ``text=CPU``.

        A hint is a type like ``f32``, for one stage (``vae=f32``) or all. ``is_bound`` lets
        OpenVINO tie its threads to cores. Raises WrongUsage.
        """
        devices = dict.fromkeys(STAGES, device)
        for text in elsewhere:
            stage, _, name = text.partition("=")
            devices[_stage(stage, "--stage-device", text)] = DeviceName.parse(
                name, "--stage-device"
            )
        # In 16 bits the autoencoders of some families overflow on GPUs; see OpenVINO GenAI, which
        # forces 32 bits there too.
        types = {"vae": "f32"} if devices["vae"].device_class == "GPU" else {}
        for text in hints:
            stage, _, name = text.rpartition("=")
            if name not in PRECISIONS:
                raise WrongUsage(
                    "not a type",
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
        """Where a part like ``text_encoder_2`` is computed."""
        return next(self._places[s] for s, prefix in STAGES.items() if part.startswith(prefix))

    @property
    def places(self) -> tuple[Place, ...]:
        """One for each stage."""
        return tuple(self._places.values())


def _stage(name: str, field: str, text: str) -> str:
    if name not in STAGES:
        raise WrongUsage("no such stage", field=field, value=text, allowed=", ".join(STAGES))
    return name


def _properties(
    device: DeviceName, arithmetic: str | None, threads: int, is_bound: bool
) -> Properties:
    values: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if arithmetic is None and device.real == "CPU" and _ceiling() in _WITHOUT_BF16:
        arithmetic = "f32"
    if arithmetic:
        values[_HINT] = arithmetic
    if device.real == "CPU":  # the others compute elsewhere
        if threads:
            values["INFERENCE_NUM_THREADS"] = threads
        if not is_bound:
            # It counts cores from the first one, in every process alike: two workers of one
            # machine would share a core and leave the others idle.
            values["ENABLE_CPU_PINNING"] = False
    return values


def _ceiling() -> str:
    return os.environ.get(_CEILING, "").upper()
