"""Two models draw one picture: the first hands its latents to the refiner.

With ``denoising_end`` the first leaves the last of the noise to the refiner, as SDXL was trained
(arXiv:2307.01952, 2.5); with ``refiner_strength`` it finishes, and the refiner noises anew.
"""

from __future__ import annotations

from PIL import Image

from winepress_shared.jobs.model_options import Refinement
from winepress_worker.engines.base import OnStep, Pipeline, Request


def render_refined(
    base: Pipeline, refiner: Pipeline, refinement: Refinement, request: Request, on_step: OnStep
) -> list[Image.Image]:
    """Draw one RGB picture per seed; ``on_step`` counts the steps of both models together."""
    following = refinement.stages_of(request.job.num_inference_steps or 1)[1].steps
    done_before = 0

    def on_base(done: int, total: int) -> None:
        nonlocal done_before
        done_before = done
        on_step(done, total + following)

    def on_refiner(done: int, total: int) -> None:
        on_step(done_before + done, done_before + total)

    latents = base.run_base(request, on_base)
    return refiner.run_refiner(request, latents, on_refiner)
