"""The arguments of calls to diffusers' pipelines."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.shortcuts import Stage
from winepress_worker.engines.base import Request
from winepress_worker.engines.canvas import Canvas


def takes_rescale(pipe: Any) -> bool:
    """False for diffusers' image-to-image and inpainting of the first family (0.37)."""
    return "guidance_rescale" in inspect.signature(pipe.auto_model_class.__call__).parameters


def arguments_of(request: Request, canvas: Canvas) -> dict[str, Any]:
    """Arguments of the diffusers call, one entry per seed wherever a list is allowed.

    Prompts and pictures are repeated, instead of setting ``num_images_per_prompt``: so each picture
    is encoded and noised by its own generator, independent of the rest of the batch.
    """
    job, count = request.job, len(request.seeds)
    prompts, negatives = zip(*request.texts, strict=True)
    arguments: dict[str, Any] = {
        "prompt": list(prompts),
        # None instead of "": SDXL then uses zeros, as in its training.
        "negative_prompt": list(negatives) if job.negative_prompt else None,
        "num_inference_steps": job.num_inference_steps,
        "guidance_scale": job.guidance_scale,
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in request.seeds],
    }
    if canvas.image is None or canvas.mask is not None:  # else the source picture has the size
        arguments |= {"width": canvas.frame[0], "height": canvas.frame[1]}
    if (job.clip_skip or 1) > 1:
        arguments["clip_skip"] = (job.clip_skip or 1) - 1  # diffusers counts the skipped layers
    if canvas.image is not None:
        pictures = [canvas.framed(canvas.image)] * count
        arguments |= {"image": pictures, "strength": job.source_strength}
    if canvas.mask is not None:
        arguments["mask_image"] = [canvas.framed(canvas.mask)] * count
    return arguments


def guided_part(job: Job, arguments: dict[str, Any]) -> tuple[float, float]:
    """Fractions of the call's own steps between which it is guided.

    The job's fractions are of the whole picture, whose steps two models may share.
    """
    first, last = arguments.get("denoising_start") or 0.0, arguments.get("denoising_end") or 1.0
    return Stage(job.num_inference_steps or 1, first, last).part_of(job.guided_span)
