"""The networks that the recipes are written for are the published ones, counted to the last."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers import UNet2DConditionModel as StockUNet
from support.twins.published import (
    CLIP_L,
    KL_VAE,
    OPEN_CLIP_BIG_G,
    PUBLISHED,
    TINY_VAE,
    Config,
    Published,
)
from support.twins.tiny import tiny_unet
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from winepress_shared.catalogue import Catalogue
from winepress_worker.conversion.flexible_unet import UNet2DConditionModel as FlexibleUNet

CATALOGUE = Catalogue.load()
#: Parameters by published configurations and weight files.
KL_PARAMETERS = 83_653_863
CLIP_L_PARAMETERS = 123_060_480
OPEN_CLIP_H_PARAMETERS = 340_387_840
BIG_G_PARAMETERS = 694_659_840
_MIB = 2**20


def count(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def unet(published: Published) -> Any:
    """The denoiser, without memory for its weights."""
    with torch.device("meta"):
        if published.is_flexible:
            return FlexibleUNet(configurations=published.unet)
        return StockUNet.from_config(published.unet)


def text_encoder(config: Config, cls: Any = CLIPTextModel) -> Any:
    with torch.device("meta"):
        return cls(CLIPTextConfig(**config))


def test_every_outside_model_has_its_published_twin() -> None:
    """No entry of the catalogue goes unproven."""
    outside = [n for n in CATALOGUE.names if not CATALOGUE.get(n).source.startswith("bundled:")]
    assert sorted(outside) == sorted(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_denoiser_has_exactly_the_published_number_of_parameters(name: str) -> None:
    """One wrong depth or width anywhere would change the number."""
    assert count(unet(PUBLISHED[name])) == PUBLISHED[name].unet_parameters


@pytest.mark.parametrize("name", PUBLISHED)
def test_tiny_twin_has_the_same_layers_as_the_published_denoiser(name: str) -> None:
    """What is proven on the twin is proven for the structure; only widths and depths differ."""
    layers = [
        {re.sub(r"transformer_blocks\.\d+", "transformer_blocks", key) for key in one.state_dict()}
        for one in (unet(PUBLISHED[name]), tiny_unet(PUBLISHED[name]))
    ]
    assert layers[0] == layers[1]


def test_encoders_and_autoencoder_have_their_published_numbers() -> None:
    """The parts that the models share."""
    with torch.device("meta"):
        assert count(AutoencoderKL.from_config(KL_VAE)) == KL_PARAMETERS
    assert count(text_encoder(CLIP_L)) == CLIP_L_PARAMETERS
    sd2 = PUBLISHED["sd21"].text_encoder
    assert sd2
    assert count(text_encoder(sd2)) == OPEN_CLIP_H_PARAMETERS
    big = text_encoder(OPEN_CLIP_BIG_G, CLIPTextModelWithProjection)
    assert count(big) == BIG_G_PARAMETERS


def test_tiny_autoencoder_is_a_small_part_of_the_full_one() -> None:
    """What makes decoding with it quick."""
    with torch.device("meta"):
        tiny = count(AutoencoderTiny.from_config(TINY_VAE))
    assert tiny < KL_PARAMETERS / 30


@pytest.mark.parametrize("name", PUBLISHED)
def test_memory_the_catalogue_asks_for_holds_the_weights(name: str) -> None:
    """Four bytes a parameter, as a CPU computes, and less than as much again beside them."""
    published = PUBLISHED[name]
    total = published.unet_parameters
    total += 0 if CATALOGUE.get(name).tiny_vae_only else KL_PARAMETERS
    encoder = published.text_encoder
    if encoder:
        total += CLIP_L_PARAMETERS if encoder == CLIP_L else OPEN_CLIP_H_PARAMETERS
    total += BIG_G_PARAMETERS if published.text_encoder_2 else 0
    weights_mib = 4 * total / _MIB
    assert weights_mib < CATALOGUE.get(name).memory_mib < 2 * weights_mib
