"""Turns the latents of unfinished pictures into small previews."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from winepress_shared.model import Model
from winepress_worker.engines.devices import read_graph

TINY_DECODER, TINY_ENCODER = "tiny_vae_decoder", "tiny_vae_encoder"
_DECODER = "vae_decoder"
_IR_FILE = "openvino_model.xml"
_MOST_PX = 256  #: longest side of a preview
_LEAST_PX = 128  #: latents are enlarged to at least this


class Previews:
    """Draws previews of one model, with a tiny autoencoder or a linear map of its latents."""

    def __init__(self, model: Model, folder: Path, compiled: Callable[[str, Any], Any]) -> None:
        """``compiled`` compiles a part of the model in ``folder`` once and caches it."""
        self._map = None if model.latent_rgb is None else np.array(model.latent_rgb, np.float32)
        self._compiled = compiled
        self._part = _DECODER if model.tiny_vae_only else TINY_DECODER
        self._path = folder / self._part / _IR_FILE
        self._opened: Any = None
        self._can_decode = model.tiny_vae is not None and self._path.is_file()

    def _decoder(self) -> Any:
        if self._opened is None:
            self._opened = self._compiled(part_name(self._part), read_graph(self._path))
        return self._opened

    @property
    def is_ready(self) -> bool:
        """False if the model was prepared without its tiny autoencoder."""
        return self._map is not None or self._can_decode

    def draw(self, latents: Any, scheduler: Any) -> list[Image.Image]:
        """One RGB picture per latent, up to 256 pixels wide and high."""
        values = (latents.float() / _noise_scale(scheduler)).numpy()
        if self._map is not None:
            colours = np.einsum("nchw,ck->nhwk", values, self._map[:-1]) + self._map[-1]
        else:
            decoder = self._decoder()
            colours = decoder({"latent_sample": values})[0].transpose(0, 2, 3, 1) / 2 + 0.5
        levels = (np.nan_to_num(colours).clip(0, 1) * 255).round().astype(np.uint8)
        return [_small(Image.fromarray(one)) for one in levels]


def part_name(folder: str) -> str:
    """The name that puts a tiny autoencoder's part in the stage of the full autoencoder."""
    return folder if folder.startswith("vae") else f"vae_{folder}"


def _noise_scale(scheduler: Any) -> float:
    """The factor by which this step's noise enlarges latents over those of a finished picture.

    Euler schedulers start from noise of their largest sigma (Karras et al. 2022, arXiv:2206.00364,
    table 1); the others keep the variance at one.
    """
    index = getattr(scheduler, "step_index", None)
    if index is None or float(scheduler.init_noise_sigma) <= 1.0:
        return 1.0
    sigma = float(scheduler.sigmas[min(index, len(scheduler.sigmas) - 1)])
    return float((sigma**2 + 1) ** 0.5)


def _small(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    scale = min(max(longest, _LEAST_PX), _MOST_PX) / longest
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC)
