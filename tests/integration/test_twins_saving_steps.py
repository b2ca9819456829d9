"""Twins of SDXL with guidance in part of their steps, and two models with a cache each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diffusers.callbacks import SDXLCFGCutoffCallback
from optimum.intel.openvino.modeling_diffusion import OVModelUnet
from support.twins.drawing import WarmModels, exact_engine, seeded, text_job
from support.twins.mirror import Mirror, twin_catalogue
from support.twins.published import PUBLISHED
from support.twins.tiny import SIDE_PX

from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.likeness import psnr_db
from winepress_worker.models.local_models import LocalModels

pytestmark = [
    # diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

LEAST_PSNR_DB = 35.0


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return twin_catalogue(SIDE_PX)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


@pytest.fixture(scope="module")
def mirror(place: Path) -> Mirror:
    return Mirror(place)


@pytest.fixture(scope="module")
def warm_models(place: Path, mirror: Mirror, catalogue: Catalogue) -> Iterator[WarmModels]:
    local_models = LocalModels(place / "home", catalogue)
    for name in ("sdxl-base", "sdxl-refiner"):
        mirror.provide(catalogue.get(name))
        prepare(local_models, name, Precision.FP16, lambda message, fraction: None, mirror.root)
    one = WarmModels(exact_engine(local_models, place / "blobs"))
    yield one
    one.pool.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each call of a denoiser had, negative prompts counted."""
    seen: list[int] = []
    plain = OVModelUnet.forward

    def counted(self: Any, sample: Any, *others: Any, **named: Any) -> Any:
        seen.append(len(sample))
        return plain(self, sample, *others, **named)

    monkeypatch.setattr(OVModelUnet, "forward", counted)
    return seen


def test_guidance_that_stops_draws_what_plain_diffusers_draws(
    catalogue: Catalogue, mirror: Mirror, warm_models: WarmModels, calls: list[int]
) -> None:
    """SDXL's added conditions are halved with its texts."""
    request = text_job(catalogue, guidance_stop=0.6)
    drawn = warm_models.draw(request)
    assert calls == [2, 2, 2, 1, 1]
    pipe = mirror.reference(catalogue.get("sdxl-base"), PUBLISHED["sdxl-base"].pipeline)
    values: dict[str, Any] = {
        "prompt": request.job.prompt,
        "negative_prompt": request.job.negative_prompt,
        "num_inference_steps": 5,
        "guidance_scale": request.job.guidance_scale,
    }
    size = {"width": SIDE_PX, "height": SIDE_PX}
    # Called after a step, it ends guidance with the next one.
    cutoff = SDXLCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=2)
    wanted = pipe(**values, **size, callback_on_step_end=cutoff, generator=seeded()).images[0]
    assert psnr_db(drawn, wanted) >= LEAST_PSNR_DB


@pytest.mark.parametrize(
    ("share", "computed"),
    [
        # 17 steps, 10 of them computed, and 13, 8 of them; each model predicts from its own.
        ({"denoising_end": 0.6}, [2] * 10 + [2] * 8),
        ({"refiner_strength": 0.5}, [2] * 16 + [2] * 9),
        # Half of all steps: 14 of the first model, and none of the refiner.
        ({"denoising_end": 0.6, "guidance_stop": 0.5}, [2] * 7 + [1] * 3 + [1] * 8),
    ],
)
def test_each_of_two_models_has_a_cache_of_its_own(
    share: dict[str, float],
    computed: list[int],
    catalogue: Catalogue,
    warm_models: WarmModels,
    calls: list[int],
) -> None:
    """And both of them draw the same bytes again."""
    request = text_job(catalogue, steps=30, refiner="sdxl-refiner", step_cache="light", **share)
    first = warm_models.draw(request)
    assert calls == computed
    assert warm_models.draw(request).tobytes() == first.tobytes()
