"""The callback after every denoising step of a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

from winepress_shared.errors import BadOutput
from winepress_worker.engines.base import OnStep, Request

#: Turns a step's latents into small pictures, given their scheduler.
Draw = Callable[[Any, Any], list[Image.Image]]


class Steps:
    """Diffusers' step callback: counts, stops on NaN or infinity, keeps what was raised."""

    def __init__(self, request: Request, on_step: OnStep, draw: Draw | None) -> None:
        self.raised: Exception | None = None
        self._on_step = on_step
        self._on_preview = request.on_preview
        self._draw = draw
        self._every = request.job.preview_every

    def __call__(
        self, pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        """Called by diffusers after step ``index``; an exception ends the render."""
        latents, done, total = tensors["latents"], index + 1, pipe.num_timesteps
        if not bool(torch.isfinite(latents).all()):
            raise BadOutput(f"the output of step {done} contains NaN or infinity")
        try:
            self._on_step(done, total)
            # No preview after the last step: the picture follows.
            is_due = self._every and done % self._every == 0 and done < total
            if is_due and self._draw and self._on_preview:
                self._on_preview(done, total, self._draw(latents, pipe.scheduler))
        except Exception as error:
            self.raised = error
            raise
        return tensors
