"""Every stage of a pipeline has its device, and every device its own way."""

from __future__ import annotations

import pytest

from winepress_worker.device_name import DeviceName
from winepress_worker.placement import Placement


@pytest.fixture(autouse=True)
def _no_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)


@pytest.mark.parametrize(
    ("text", "device_class", "real", "parts", "is_static"),
    [
        ("cpu", "CPU", "CPU", ("CPU",), False),
        ("GPU.1", "GPU", "GPU.1", ("GPU.1",), False),
        ("NPU", "NPU", "NPU", ("NPU",), True),
        ("AUTO", None, "AUTO", (), False),
        ("AUTO:NPU,CPU", None, "AUTO:NPU,CPU", ("NPU", "CPU"), True),
        ("NPU=CPU", "NPU", "CPU", ("CPU",), True),
        ("GPU.1=AUTO:CPU", "GPU", "AUTO:CPU", ("CPU",), False),
    ],
)
def test_a_device_is_known_to_lanes_by_one_name_and_to_openvino_by_another(
    text: str, device_class: str | None, real: str, parts: tuple[str, ...], is_static: bool
) -> None:
    """They differ for rehearsals alone; whatever may be an NPU gets models of one shape."""
    device = DeviceName.parse(text)
    assert device.device_class == device_class
    assert (device.real, device.parts, device.is_static) == (real, parts, is_static)


def test_stages_are_computed_where_they_were_put() -> None:
    """What is not named stays on the worker's device; both text encoders go together."""
    placement = Placement.of(DeviceName("NPU"), ["text=CPU", "vae=gpu.1"])
    parts = ("text_encoder", "text_encoder_2", "unet", "vae_encoder", "vae_decoder")
    devices = [placement.place(part).device.text for part in parts]
    assert devices == ["CPU", "CPU", "NPU", "GPU.1", "GPU.1"]


def test_hints_hold_for_one_stage_or_all() -> None:
    """The later one wins; on a GPU the autoencoder is computed in 32 bits unless told otherwise."""

    def hints(device: str, *given: str) -> list[object]:
        placement = Placement.of(DeviceName(device), hints=given)
        properties = [place.properties for place in placement.places]
        return [one.get("INFERENCE_PRECISION_HINT") for one in properties]

    assert hints("CPU") == [None, None, None]
    assert hints("CPU", "bf16", "denoise=f32") == ["bf16", "f32", "bf16"]
    assert hints("GPU") == [None, None, "f32"]
    assert hints("GPU", "f16") == ["f16", "f16", "f16"]


def test_only_a_processor_is_told_how_many_threads() -> None:
    """The others would refuse to compile."""
    placement = Placement.of(DeviceName("GPU"), ["text=CPU"], threads=3)
    assert placement.place("text_encoder").properties["INFERENCE_NUM_THREADS"] == 3
    assert "INFERENCE_NUM_THREADS" not in placement.place("unet").properties


def test_compiled_blobs_lie_by_the_device_that_runs_them() -> None:
    """Blobs of one device are of no use to another."""
    blobs = {
        Placement.of(DeviceName(name)).place("unet").blobs
        for name in ("CPU", "GPU", "GPU.1", "AUTO:NPU,CPU")
    }
    assert len(blobs) == 4
    assert Placement.of(DeviceName("NPU=CPU")).place("unet").blobs == "CPU"
    assert Placement.of(DeviceName("CPU"), hints=["f32"]).place("unet").blobs == "CPU-f32"


def test_a_processor_with_a_ceiling_below_16_bits_computes_in_32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenVINO asks the processor alone, and chooses a type for which oneDNN has no kernels."""

    def hints(device: str, ceiling: str, *given: str) -> list[object]:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", ceiling)
        placement = Placement.of(DeviceName.parse(device), ["vae=CPU"], hints=given)
        return [place.properties.get("INFERENCE_PRECISION_HINT") for place in placement.places]

    assert hints("CPU", "AVX2") == hints("CPU", "avx512_core") == ["f32"] * 3
    assert hints("GPU", "AVX2") == [None, None, "f32"]
    assert hints("CPU", "AVX512_CORE_BF16") == hints("CPU", "DEFAULT") == [None] * 3
    assert hints("CPU", "AVX2", "denoise=bf16") == ["f32", "bf16", "f32"]


def test_compiled_blobs_lie_by_the_instructions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """One home may serve processes with a ceiling and without."""
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert Placement.of(DeviceName("CPU")).place("unet").blobs == "CPU-f32-AVX2"
