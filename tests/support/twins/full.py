"""Folders in diffusers' format as large as the published ones, with random weights.

For measuring sizes, memory and times, which do not depend on what a network has learned. The
pictures are noise. Twins are written part by part, so that no more than one is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers import UNet2DConditionModel as StockUNet
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from support.twins.layout import save, save_rest, unet_folder
from support.twins.published import PUBLISHED, TINY_VAE, Config
from winepress_worker.conversion.flexible_unet import UNet2DConditionModel as FlexibleUNet

_DRAWN = 2**20 - 3  #: odd, so that no two rows of a matrix are alike
_SHIFT = 97  #: between two layers; there are fewer than 10,000


def build_full(name: str, folder: Path) -> Path:
    """Write the full-size twin of ``name``'s source repository into the new ``folder``.

    Takes two bytes a parameter on disk, and of the largest part in memory.
    """
    published = PUBLISHED[name]
    unet = _random(lambda: _unet(published.unet, published.is_flexible))
    save(unet, folder / unet_folder(published))
    save(_random(lambda: AutoencoderKL.from_config(published.vae)), folder / "vae")
    save_rest(published, folder, _text_encoder)
    return folder


def build_full_tiny_vae(folder: Path) -> Path:
    """The twin of a repository that holds an AutoencoderTiny and nothing else."""
    torch.manual_seed(0)
    save(AutoencoderTiny.from_config(TINY_VAE), folder)
    return folder


def _unet(config: Config, is_flexible: bool) -> Any:
    return FlexibleUNet(configurations=config) if is_flexible else StockUNet.from_config(config)


def _text_encoder(config: Config, words: int, suffix: str) -> Any:
    """The vocabulary keeps its size, but the tokenizer knows the first words alone."""
    cls = CLIPTextModelWithProjection if suffix else CLIPTextModel
    marks = {"bos_token_id": words - 2, "eos_token_id": words - 1}
    return _random(lambda: cls(CLIPTextConfig(**config | marks)))


def _random(make: Callable[[], Any]) -> Any:
    """The network that ``make`` gives, in 16 bits: billions of random numbers take minutes.

    So a million of them are repeated, as large as a layer with so many inputs wants them. Every
    layer begins elsewhere among them, because OpenVINO stores equal weights once.
    """
    with torch.device("meta"):
        network = make()
    network = network.half().to_empty(device="cpu")
    drawn = torch.randn(_DRAWN, generator=torch.Generator().manual_seed(0))
    for number, (name, weights) in enumerate(network.named_parameters()):
        if weights.ndim == 1:
            weights.data.fill_(1.0 if name.endswith("weight") else 0.0)
            continue
        scaled = (drawn / math.sqrt(weights[0].numel())).half().roll(number * _SHIFT)
        for part in weights.data.view(-1).split(_DRAWN):
            part.copy_(scaled[: part.numel()])
    return network
