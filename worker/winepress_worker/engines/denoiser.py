"""Calls a pipeline's denoiser less often than its loop does, from outside that loop.

For one render a `Denoiser` takes the place of ``pipe.unet``. Diffusers' loop, its scheduler and its
callbacks run as ever; only what a call computes is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.shortcuts import exact_steps, guided_steps
from winepress_worker.engines.step_cache import Extrapolation, Inputs, Network, StepCache

#: Makes the cache of one render around a network.
MakeCache = Callable[[Network], StepCache]


class Denoiser:
    """Acts as a UNet of optimum for one render of one pipeline."""

    def __init__(self, pipe: Any, job: Job, span: tuple[float, float], cache: StepCache) -> None:
        """``span`` is the guided part of the steps that ``pipe`` takes, as fractions."""
        self._pipe = pipe
        self._unet = pipe.unet
        self._interval = job.cache_interval
        self._span = span
        self._min_sigma = job.guidance_min_sigma or 0.0
        self._cache = cache
        self._step = 0

    def __getattr__(self, name: str) -> Any:
        """Everything else is the UNet's own: its settings, its type."""
        return getattr(self._unet, name)

    def __call__(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        added_cond_kwargs: Inputs | None = None,
        return_dict: bool = False,
        **others: Any,
    ) -> tuple[torch.Tensor]:
        """The output of the loop's next step, for all items of the batch."""
        given = {"sample": sample, "timestep": timestep, **others, **(added_cond_kwargs or {})}
        inputs = {name: value for name, value in given.items() if value is not None}
        step, total = self._step, self._pipe.num_timesteps
        self._step += 1
        has_halves = self._pipe.do_classifier_free_guidance
        if not has_halves or self._is_guided(step, total, timestep):
            return (self._output(step, total, inputs),)
        half = self._output(step, total, _second_half(inputs))
        # Equal halves: guidance adds a multiple of their difference.
        return (torch.cat([half, half]),)

    def _is_guided(self, step: int, total: int, timestep: torch.Tensor) -> bool:
        if step not in guided_steps(total, self._span):
            return False
        return not self._min_sigma or _sigma(self._pipe.scheduler, timestep) >= self._min_sigma

    def _output(self, step: int, total: int, inputs: Inputs) -> torch.Tensor:
        is_exact = step in exact_steps(total, self._interval)
        if is_exact or not self._cache.can_predict(inputs["sample"].shape[0]):
            return self._cache.compute(step, inputs)
        return self._cache.predict(step, inputs)


def _sigma(scheduler: Any, timestep: torch.Tensor) -> float:
    """The noise at ``timestep`` in relation to the picture."""
    kept = float(scheduler.alphas_cumprod[round(float(timestep))])
    return ((1 - kept) / kept) ** 0.5 if kept else math.inf


def _second_half(inputs: Inputs) -> Inputs:
    """The inputs for the prompts alone; diffusers puts the negative prompts before them."""
    batch = inputs["sample"].shape[0]
    return {
        name: value[batch // 2 :] if value.dim() and value.shape[0] == batch else value
        for name, value in inputs.items()
    }


@contextmanager
def shortened(
    pipe: Any, job: Job, span: tuple[float, float], make_cache: MakeCache = Extrapolation
) -> Iterator[None]:
    """Within it ``pipe`` calls its UNet as seldom as ``job`` allows.

    ``span`` is the guided part of the steps that ``pipe`` takes, as fractions. For a job that asks
    for nothing the pipeline stays as it is.
    """
    unet = pipe.unet
    if job.cache_interval > 1 or span != (0.0, 1.0) or job.guidance_min_sigma:

        def network(inputs: Inputs) -> torch.Tensor:
            output: torch.Tensor = unet(**inputs)[0]
            return output

        pipe.unet = Denoiser(pipe, job, span, make_cache(network))
    try:
        yield
    finally:
        pipe.unet = unet
