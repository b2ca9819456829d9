"""Twins of SDXL with guidance in part of their steps, and two models with a cache each."""

from __future__ import annotations

from typing import Any

import pytest
from diffusers.callbacks import SDXLCFGCutoffCallback
from optimum.intel.openvino.modeling_diffusion import OVModelUnet
from support.twins.drawing import WarmModels, seeded, text_job
from support.twins.prepared import PreparedTwins
from support.twins.published import PUBLISHED
from support.twins.tiny import SIDE_PX

from winepress_worker.models.likeness import psnr_db

pytestmark = [
    # diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

LEAST_PSNR_DB = 35.0


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
    twins: PreparedTwins, warm_models: WarmModels, calls: list[int]
) -> None:
    """SDXL's added conditions are halved with its texts."""
    request = text_job(twins.catalogue, guidance_stop=0.6)
    drawn = warm_models.draw(request)
    assert calls == [2, 2, 2, 1, 1]
    base = twins.catalogue.get("sdxl-base")
    pipe = twins.mirror.reference(base, PUBLISHED["sdxl-base"].pipeline)
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
    twins: PreparedTwins,
    warm_models: WarmModels,
    calls: list[int],
) -> None:
    """And both of them draw the same bytes again."""
    shared = {"refiner": "sdxl-refiner", "step_cache": "light"} | share
    request = text_job(twins.catalogue, steps=30, **shared)
    first = warm_models.draw(request)
    assert calls == computed
    assert warm_models.draw(request).tobytes() == first.tobytes()
