"""What a CPU is given of 8-bit weights: matrices as they are, convolutions in 16 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13

from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.devices import core, read_graph
from winepress_worker.engines.unpacked_weights import unpacked
from winepress_worker.models.content import GRAPH_FILE, WEIGHTS_FILE
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Prepared
from winepress_worker.placement import Placement
from winepress_worker.report import ignore_progress

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

DECODER = "vae_decoder"
EXACT = Placement.of(DeviceName("CPU"), hints=("f32",))
_ROUNDING = 0.01  #: of numbers of about one, by an autoencoder of 34 convolutions


@pytest.fixture(scope="module")
def prepared(local_models: LocalModels) -> Prepared:
    return prepare(local_models, "vignette", Precision.INT8_WEIGHTS, ignore_progress)


def weights_of(model: Any, kind: str) -> list[str]:
    """The type of the constant that holds the weights of every layer of a ``kind``."""
    found = []
    for op in model.get_ops():
        if op.get_type_name() == kind:
            node = op.input_value(1).get_node()
            while node.get_type_name() in ("Convert", "Multiply", "Subtract"):
                node = node.input_value(0).get_node()
            if node.get_type_name() == "Constant":
                found.append(node.get_element_type().to_string())
    return found


def test_only_convolutions_are_unpacked(prepared: Prepared) -> None:
    """What is multiplied by packed weights stays packed, and the graph that was read does too."""
    read = read_graph(prepared.path / "unet" / GRAPH_FILE)
    made = unpacked(read)
    assert set(weights_of(made, "Convolution")) == {"f16"}
    assert set(weights_of(made, "MatMul")) == {"u8"}
    assert set(weights_of(read, "Convolution")) == {"u8"}


def test_blob_holds_convolutions_in_16_bits(prepared: Prepared, tmp_path: Path) -> None:
    """In 32 it would be four times as large as the weights, on the disk and when it is loaded.

    It is used at once, because what is mapped from it takes no memory of the process's own.
    """
    parts = CompiledParts(Placement.of(DeviceName("CPU")), tmp_path, prepared)
    decoder = parts.get(DECODER, read_graph(prepared.path / DECODER / GRAPH_FILE))
    assert decoder.get_property("LOADED_FROM_CACHE")
    stored = sum(path.stat().st_size for path in tmp_path.rglob("*.blob"))
    assert stored < 3 * (prepared.path / DECODER / WEIGHTS_FILE).stat().st_size


@pytest.mark.arithmetic
def test_unpacked_convolutions_compute_the_same(prepared: Prepared) -> None:
    """But for the rounding of their weights to 16 bits."""
    graph = read_graph(prepared.path / DECODER / GRAPH_FILE)
    latents = np.random.default_rng(0).standard_normal((1, 4, 16, 16)).astype(np.float32)
    plain = core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    own = CompiledParts(EXACT, None, prepared).get(DECODER, graph)
    outputs = [
        next(iter(each({"latent_sample": latents}).to_dict().values())) for each in (plain, own)
    ]
    assert np.abs(outputs[0] - outputs[1]).max() < _ROUNDING
    assert outputs[0].std() > 10 * _ROUNDING


def test_convolution_of_quantised_activations_keeps_its_integers() -> None:
    """It multiplies integers, which is what int8 gains its speed by."""
    picture = opset13.parameter([1, 2, 8, 8], np.float32)
    low, high = (opset13.constant(np.float32(value)) for value in (-1, 1))
    quantised = opset13.fake_quantize(picture, low, high, low, high, 256)
    weights = opset13.constant(np.ones((2, 2, 3, 3), np.int8))
    scaled = opset13.multiply(opset13.convert(weights, np.float16), np.float16(0.5))
    layer = opset13.convolution(
        quantised, opset13.convert(scaled, np.float32), [1, 1], [1, 1], [1, 1], [1, 1]
    )
    model = openvino.Model([layer], [picture])
    assert unpacked(model) is model
