"""What a small machine does otherwise must change no byte, and large pictures must show no seam."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import parse_job
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.device_name import DeviceName
from winepress_worker.engines import compiled_parts, open_engine
from winepress_worker.engines.base import PipelineKey, Request, ignore_steps
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.devices import read_graph
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.engines.staged_model import StagedModel
from winepress_worker.engines.tiled_decoder import TiledDecoder
from winepress_worker.models.content import GRAPH_FILE, WEIGHTS_FILE
from winepress_worker.models.likeness import psnr_db
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Prepared
from winepress_worker.options import WorkerOptions
from winepress_worker.placement import Placement
from winepress_worker.report import ignore_progress

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

MODEL, DECODER = "vignette", "vae_decoder"
_STEPS = 3
_TILE, _OVERLAP = 24, 8  #: latents, of a picture of 32
_LEAST_SEAM_DB = 35.0


@pytest.fixture(scope="module")
def prepared(local_models: LocalModels) -> Prepared:
    return prepare(local_models, MODEL, Precision.FP16, ignore_progress)


@pytest.fixture
def parts_of_one_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo model is so small that all of its parts would stay in memory."""
    monkeypatch.setattr(compiled_parts, "_MOST_KEPT_BYTES", 0)


def request(**values: object) -> Request:
    given = {"prompt": "a red apple", "num_inference_steps": _STEPS, "seed": 1}
    return Request(Catalogue.load().resolve(parse_job(given | values)), (1, 2))


def bytes_of(pictures: list[Image.Image]) -> list[bytes]:
    return [picture.tobytes() for picture in pictures]


@pytest.mark.arithmetic
@pytest.mark.usefixtures("parts_of_one_stage")
def test_one_stage_at_a_time_draws_the_same_bytes(
    local_models: LocalModels, prepared: Prepared, tmp_path: Path
) -> None:
    """Picture after picture, and never with two stages in memory."""
    drawn = []
    for options in (
        WorkerOptions("whole", memory_budget=2**40),
        WorkerOptions("staged", memory_budget=2**20, low_memory=True),
    ):
        engine = open_engine(options, local_models, tmp_path)
        pipeline: Any = engine.load(engine.prepare(MODEL, Precision.FP16))
        drawn.append([bytes_of(pipeline.render(request(), ignore_steps)) for _ in range(2)])
        facts = pipeline.facts(request())
        parts = {
            name: getattr(part, "_encoder", part)
            for name, part in pipeline._compiled._parts.items()
        }
        pipeline.close()
    assert drawn[0] == drawn[1]
    staged = {name: part for name, part in parts.items() if isinstance(part, StagedModel)}
    assert {"text_encoder", "unet"} <= set(staged)
    assert not any(part.is_compiled for part in staged.values()), (
        "the decoder was last, in tiles or not"
    )
    assert facts.device == "CPU"


def test_a_model_larger_than_the_budget_needs_its_largest_stage(
    local_models: LocalModels, prepared: Prepared
) -> None:
    """That is what a worker with little memory offers it by; what fits is held whole."""
    whole = local_models.memory_needed(MODEL, Precision.FP16)
    assert local_models.memory_needed(MODEL, Precision.FP16, whole) == whole
    staged = local_models.memory_needed(MODEL, Precision.FP16, whole - 1)
    unet = (prepared.path / "unet" / WEIGHTS_FILE).stat().st_size
    assert unet <= staged < whole


def test_a_blob_is_never_taken_for_other_weights(prepared: Prepared, tmp_path: Path) -> None:
    """The blobs of a CPU leave out the weights, so two models of one graph could be confused."""
    other = replace(prepared, path=tmp_path / "other")
    shutil.copytree(prepared.path, other.path)
    weights = other.path / DECODER / WEIGHTS_FILE
    changed = np.frombuffer(weights.read_bytes(), np.float16).copy()
    changed[len(changed) // 2 :][:200] *= -1
    weights.write_bytes(changed.tobytes())
    latents = np.random.default_rng(0).standard_normal((1, 4, 8, 8)).astype(np.float32)

    def decode(model: Prepared, blobs: Path | None) -> bytes:
        parts = CompiledParts(Placement.of(DeviceName("CPU")), blobs, model)
        decoder = parts.get(DECODER, read_graph(model.path / DECODER / GRAPH_FILE))
        return picture(decoder({"latent_sample": latents})).tobytes()

    blobs = tmp_path / "blobs"
    plain, plain_other = decode(prepared, None), decode(other, None)
    assert plain != plain_other
    drawn = [decode(model, blobs) for model in (prepared, prepared, other)]
    assert drawn == [plain, plain, plain_other]
    stored = sum(path.stat().st_size for path in blobs.rglob("*.blob"))
    assert 0 < stored < weights.stat().st_size / 4, "the weights are not in there again"


@pytest.mark.arithmetic
def test_tiles_of_a_real_decoder_show_no_seam(prepared: Prepared) -> None:
    """A picture decoded in four tiles is like the one decoded whole."""
    placement = Placement.of(DeviceName("CPU"), hints=("f32",))
    parts = CompiledParts(placement, None, prepared)
    latents: list[Any] = []
    pipeline = OpenVinoPipeline(PipelineKey.of(prepared, "CPU"), prepared, "text-to-image", parts)
    decoder: Any = parts.get(DECODER, read_graph(prepared.path / DECODER / GRAPH_FILE))

    def listen(inputs: Any, share_inputs: bool = False) -> Any:
        latents.append(np.array(inputs["latent_sample"]))
        return decoder(inputs, share_inputs=share_inputs)

    pipeline._pipes["text-to-image"].vae_decoder.request = listen
    pipeline.render(request(num_inference_steps=8), ignore_steps)
    whole = picture(decoder({"latent_sample": latents[0]}))
    tiled = picture(TiledDecoder(decoder, _TILE, _OVERLAP)({"latent_sample": latents[0]}))
    pipeline.close()
    assert psnr_db(whole, tiled) > _LEAST_SEAM_DB


def picture(outputs: Any) -> Image.Image:
    pixels = next(iter(outputs.to_dict().values()))[0].transpose(1, 2, 0)
    return Image.fromarray(((pixels / 2 + 0.5).clip(0, 1) * 255).round().astype(np.uint8))
