"""Texts that were encoded before are not encoded again, and no byte of a picture tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Request, ignore_steps
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

MODEL = "vignette"
PROMPTS = ("a red apple", "a blue door", "a red apple", "a green car")


@dataclass
class Counting:
    """A compiled text encoder that counts its calls."""

    encoder: Any
    texts: list[int] = field(default_factory=list)

    def __call__(self, inputs: Any, share_inputs: bool = False) -> Any:
        self.texts.append(len(inputs["input_ids"]))
        return self.encoder(inputs, share_inputs=share_inputs)


@pytest.fixture
def pipeline(local_models: LocalModels, tmp_path: Path) -> Any:
    prepare(local_models, MODEL, Precision.FP16, lambda text, share: None)
    engine = open_engine(WorkerOptions("w"), local_models, tmp_path)
    pipeline = engine.load(engine.prepare(MODEL, Precision.FP16))
    yield pipeline
    pipeline.close()


def job(prompt: str) -> Job:
    values = {"prompt": prompt, "negative_prompt": "blurry", "num_inference_steps": 2, "seed": 1}
    return Catalogue.load().resolve(parse_job(values))


def draw(pipeline: Any, *prompts: str) -> list[bytes]:
    request = Request.together([job(prompt) for prompt in prompts], None, None)
    drawn: list[Image.Image] = pipeline.render(request, ignore_steps)
    return [picture.tobytes() for picture in drawn]


@pytest.mark.arithmetic
def test_kept_texts_change_no_byte_and_are_encoded_once(pipeline: Any) -> None:
    """Alone and two in a call, from what was kept and anew."""
    kept = pipeline._compiled._parts["text_encoder"]
    kept._encoder = counting = Counting(kept._encoder)
    before = pipeline.footprint
    fresh = [draw(pipeline, prompt) for prompt in PROMPTS]
    assert counting.texts == [1] * 4, "three prompts and one negative prompt"
    assert pipeline.footprint >= before + kept.kept_bytes > before
    assert [draw(pipeline, prompt) for prompt in PROMPTS] == fresh
    together = draw(pipeline, *PROMPTS[:2])
    assert counting.texts == [1] * 4
    kept._kept.clear()
    assert draw(pipeline, *PROMPTS[:2]) == together
    assert counting.texts == [1] * 7
