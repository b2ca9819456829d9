"""What a denoiser hands to the loop, with a network that can be reckoned in the head."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from winepress_shared.jobs.job import Job, parse_job
from winepress_worker.engines.denoiser import shortened
from winepress_worker.engines.step_cache import Extrapolation

STEPS = 20


def network(inputs: dict[str, Any]) -> torch.Tensor:
    """An output that tells halves, added conditions and times apart."""
    sample: torch.Tensor = inputs["sample"]
    conditions: torch.Tensor = inputs["encoder_hidden_states"].mean((1, 2)) + inputs[
        "time_ids"
    ].sum(1)
    output: torch.Tensor = sample * float(inputs["timestep"]) + conditions[:, None, None, None]
    return output


def batch_of(pictures: int, sides: int = 3) -> dict[str, Any]:
    """The inputs of a guided call: different ones for each half, but one time for all."""
    items = torch.arange(2.0 * pictures)
    return {
        "sample": torch.sin(torch.arange(4.0 * sides**2))
        .reshape(1, 4, sides, sides)
        .repeat(2 * pictures, 1, 1, 1)
        + items[:, None, None, None],
        "encoder_hidden_states": items[:, None, None].repeat(1, 7, 5),
        "added_cond_kwargs": {"time_ids": items[:, None].repeat(1, 6) / 9},
    }


def outputs(job: Job, pictures: int, sides: int = 3, steps: int = STEPS) -> list[torch.Tensor]:
    """What a loop of ``steps`` gets from its denoiser."""

    class Unet:
        config = "own"

        def __call__(
            self, sample: Any, timestep: Any, *, added_cond_kwargs: Any = None, **others: Any
        ) -> tuple[torch.Tensor]:
            inputs = {"sample": sample, "timestep": timestep, **(added_cond_kwargs or {})}
            return (network(inputs | others),)

    unet = Unet()
    pipe = SimpleNamespace(unet=unet, num_timesteps=steps, do_classifier_free_guidance=True)
    with shortened(pipe, job, job.guided_span):
        assert pipe.unet.config == "own"
        inputs = batch_of(pictures, sides)
        found = [
            pipe.unet(inputs["sample"], torch.tensor(steps - step), **_without_sample(inputs))[0]
            for step in range(steps)
        ]
    assert pipe.unet is unet
    return found


def _without_sample(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if name != "sample"} | {
        "timestep_cond": None,
        "cross_attention_kwargs": None,
        "return_dict": False,
    }


def test_both_halves_are_what_the_prompts_give_where_nothing_is_guided() -> None:
    """For several pictures at once each gets its own; added conditions are halved with them."""
    job = parse_job({"prompt": "a", "guidance_stop": 0.5})
    plain, cut = outputs(parse_job({"prompt": "a"}), 3), outputs(job, 3)
    for step, (whole, halved) in enumerate(zip(plain, cut, strict=True)):
        wanted = whole if step < STEPS // 2 else torch.cat([whole[3:], whole[3:]])
        assert torch.equal(halved, wanted), step


def test_an_output_that_changes_evenly_is_predicted_exactly() -> None:
    """Outputs linear in the number of the step lie on the line through any two of them.

    Before there are two, the first is held.
    """
    whole = outputs(parse_job({"prompt": "a"}), 2)
    for interval in range(2, 9):
        job = parse_job({"prompt": "a", "step_cache_interval": interval})
        drawn = outputs(job, 2)
        assert all(torch.equal(found, whole[0]) for found in drawn[:interval])
        for wanted, found in zip(whole[interval:], drawn[interval:], strict=True):
            assert torch.allclose(wanted, found, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sides", [1, 3, 5, 8, 13])
def test_a_prediction_does_not_depend_on_the_place_in_a_batch(sides: int) -> None:
    """Bit by bit, wherever vectors begin and end."""
    generator = torch.Generator().manual_seed(sides)
    first, second = (torch.randn(5, 3, sides, sides, generator=generator) for _ in range(2))

    def predicted(items: slice) -> torch.Tensor:
        computed = iter((first[items], second[items]))
        cache = Extrapolation(lambda inputs: next(computed))
        for step in (4, 7):
            cache.compute(step, {})
        return cache.predict(9, {"sample": first[items]})

    together = predicted(slice(None))
    for item in range(5):
        assert torch.equal(predicted(slice(item, item + 1))[0], together[item])
