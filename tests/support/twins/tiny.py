"""Tiny folders in diffusers' format with random weights and the structure of the published ones.

A twin is its published configuration with the widths exchanged: what blocks there are, how deep
each one is, which inputs the network takes and how the scheduler is set stay as they are. Networks
of one configuration have the same weights, whichever twin they belong to.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers import UNet2DConditionModel as StockUNet
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from support.twins.layout import save, save_rest, unet_folder
from support.twins.published import PUBLISHED, TINY_VAE, Config, Published
from winepress_worker.conversion.flexible_unet import UNet2DConditionModel as FlexibleUNet

SIDE_PX = 128  #: a picture of 16 by 16 latents
_WIDTHS = [32, 64, 96, 96]  #: of the denoiser's levels; norms of 32 groups divide them
_TEXT = 32  #: width of every text encoder
_TIME = 8  #: width of each embedded size, crop or score
_DEPTHS = {1: 1, 2: 2, 4: 2, 10: 3}  #: transformer depth → the twin's


def build(published: Published, folder: Path) -> Path:
    """Write the twin of a source repository into the new ``folder``; gives it back."""
    save(tiny_unet(published), folder / unet_folder(published))
    vae = AutoencoderKL.from_config(_seeded(_tiny_vae(published.vae)))
    save(_lively(vae), folder / "vae")
    save_rest(published, folder, _text_encoder)
    return folder


def shallow(name: str) -> Published:
    """The repository of ``name`` with two levels of one layer: for what does not ask for depth."""
    published = PUBLISHED[name]
    unet = {key: x[:2] if isinstance(x, list) else x for key, x in published.unet.items()}
    up = published.unet["up_block_types"][-2:]
    return replace(published, unet=unet | {"up_block_types": up, "layers_per_block": 1})


def build_tiny_vae(folder: Path) -> Path:
    """The twin of a repository that holds an AutoencoderTiny and nothing else."""
    narrow = {f"{part}_block_out_channels": [16] * 4 for part in ("encoder", "decoder")}
    save(AutoencoderTiny.from_config(_seeded(TINY_VAE | narrow)), folder)
    return folder


def tiny_unet(published: Published) -> Any:
    """The denoiser with random weights."""
    if published.is_flexible:
        narrow = _seeded(_narrow_flexible(published.unet))
        return _lively(FlexibleUNet(configurations=narrow))
    return _lively(StockUNet.from_config(_seeded(_narrow(published))))


def _seeded(config: Config) -> Config:
    """Let the next network's random weights depend on its configuration alone."""
    torch.manual_seed(zlib.crc32(json.dumps(config, sort_keys=True).encode()))
    return config


def _narrow(published: Published) -> Config:
    config = dict(published.unet)
    levels = len(config["block_out_channels"])
    encoders = [one for one in (published.text_encoder, published.text_encoder_2) if one]
    config |= {
        "sample_size": SIDE_PX // 8,
        "block_out_channels": _WIDTHS[:levels],
        "cross_attention_dim": _TEXT * len(encoders),
    }
    if isinstance(config["attention_head_dim"], list):
        config["attention_head_dim"] = [width // 32 for width in _WIDTHS[:levels]]
    for key in ("transformer_layers_per_block", "reverse_transformer_layers_per_block"):
        if key in config:
            config[key] = _shallow(config[key])
    if "addition_time_embed_dim" in config:
        given = config["projection_class_embeddings_input_dim"] - 1280
        ids = given // config["addition_time_embed_dim"]
        config["addition_time_embed_dim"] = _TIME
        config["projection_class_embeddings_input_dim"] = ids * _TIME + _TEXT
    return config


def _shallow(depths: Any) -> Any:
    return [_shallow(one) for one in depths] if isinstance(depths, list) else _DEPTHS[depths]


def _narrow_flexible(given: Config) -> Config:
    """All widths divided by ten; a level of 320 becomes one of 32."""
    narrow = {key: [n // 10 for n in given[key]] for key in given if key.endswith("_channels")}
    widths = {"temb_dim": given["temb_dim"] // 10, "cross_attention_dim": _TEXT}
    return given | narrow | widths | {"sample_size": SIDE_PX // 8}


def _tiny_vae(config: Config) -> Config:
    return config | {
        "block_out_channels": [16, 16, 32, 32],
        "norm_num_groups": 8,
        "layers_per_block": 1,
        "sample_size": SIDE_PX,
    }


def _text_encoder(config: Config, words: int, suffix: str) -> Any:
    cls = CLIPTextModelWithProjection if suffix else CLIPTextModel
    tiny = config | {
        "hidden_size": _TEXT,
        "intermediate_size": 2 * _TEXT,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "projection_dim": _TEXT,
        "vocab_size": words,
        "bos_token_id": words - 2,
        "eos_token_id": words - 1,
    }
    return cls(CLIPTextConfig(**_seeded(tiny)))


def _lively(network: Any) -> Any:
    """Weigh prompt, time and output so much that a mistake in any of them shows in the picture."""
    with torch.no_grad():
        for key, weights in network.named_parameters():
            if "attn2.to_out.0.weight" in key or "time_emb_proj.weight" in key:
                weights *= 4
            if key in ("conv_out.weight", "decoder.conv_out.weight"):
                weights *= 2.5
    return network
