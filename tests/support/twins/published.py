"""The networks of every outside model as they were published, as arguments of their classes.

The values are those of the models' own ``config.json`` files; what they do not name is the
class's default. `test_published_sizes` holds them to the published numbers of parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]

_DOWN, _CROSS_DOWN = "DownBlock2D", "CrossAttnDownBlock2D"
_UP, _CROSS_UP = "UpBlock2D", "CrossAttnUpBlock2D"

#: The autoencoder all of them share, but for its scale and its picture size.
KL_VAE: Config = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "scaling_factor": 0.18215,
    "sample_size": 512,
}
_SDXL_VAE = KL_VAE | {"scaling_factor": 0.13025, "sample_size": 1024, "force_upcast": True}
TINY_VAE: Config = {
    "encoder_block_out_channels": [64, 64, 64, 64],
    "decoder_block_out_channels": [64, 64, 64, 64],
    "num_encoder_blocks": [1, 3, 3, 3],
    "num_decoder_blocks": [3, 3, 3, 1],
    "latent_channels": 4,
    "scaling_factor": 1.0,
}

CLIP_L: Config = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
}
_OPEN_CLIP_H = CLIP_L | {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
    "projection_dim": 512,
}
OPEN_CLIP_BIG_G = CLIP_L | {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}

_TINY_SD: Config = {
    "sample_size": 64,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": [_CROSS_DOWN] * 3,
    "mid_block_type": None,
    "up_block_types": [_CROSS_UP] * 3,
    "layers_per_block": 1,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
_SD2: Config = {
    "sample_size": 64,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [_CROSS_DOWN] * 3 + [_DOWN],
    "up_block_types": [_UP] + [_CROSS_UP] * 3,
    "layers_per_block": 2,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
_SDXL: Config = {
    "sample_size": 128,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": [_DOWN, _CROSS_DOWN, _CROSS_DOWN],
    "up_block_types": [_CROSS_UP, _CROSS_UP, _UP],
    "layers_per_block": 2,
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_REFINER = _SDXL | {
    "block_out_channels": [384, 768, 1536, 1536],
    "down_block_types": [_DOWN, _CROSS_DOWN, _CROSS_DOWN, _DOWN],
    "up_block_types": [_UP, _CROSS_UP, _CROSS_UP, _UP],
    "attention_head_dim": [6, 12, 24, 24],
    "cross_attention_dim": 1280,
    "transformer_layers_per_block": 4,
    "projection_class_embeddings_input_dim": 2560,
}
_SSD_1B = _SDXL | {
    "mid_block_type": "UNetMidBlock2D",
    "transformer_layers_per_block": [1, [2, 2], [4, 4]],
    "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
}
_VEGA = _SDXL | {
    "mid_block_type": "UNetMidBlock2D",
    "transformer_layers_per_block": [1, 1, 2],
}
#: ``configurations`` of flexible_unet/config.json.
FLEXIBLE: Config = {
    "sample_size": 64,
    "temb_dim": 1280,
    "resnet_eps": 1e-5,
    "resnet_act_fn": "silu",
    "num_attention_heads": 8,
    "cross_attention_dim": 768,
    "mix_block_in_forward": True,
    "down_blocks_in_channels": [320, 320, 640],
    "down_blocks_out_channels": [320, 640, 1280],
    "down_blocks_num_resnets": [2, 2, 1],
    "down_blocks_num_attentions": [0, 1, 3],
    "add_downsample": [True, True, True],
    "add_upsample_mid_block": True,
    "mid_num_resnets": 4,
    "mid_num_attentions": 2,
    "prev_output_channels": [1280, 1280, 640],
    "up_blocks_num_resnets": [2, 3, 3],
    "up_blocks_num_attentions": [6, 3, 0],
    "add_upsample": [True, True, False],
}

_BETAS: Config = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
}
_LOW_END = _BETAS | {"set_alpha_to_one": False}
_PNDM = _LOW_END | {"skip_prk_steps": True}
_LEADING = _BETAS | {"timestep_spacing": "leading", "prediction_type": "epsilon"}


@dataclass(frozen=True)
class Published:
    """One repository in diffusers' format; a network that is None is missing there too."""

    pipeline: str  #: class in diffusers
    scheduler: tuple[str, Config]  #: class in diffusers, without "Scheduler", and its settings
    unet: Config
    unet_parameters: int
    vae: Config = field(default_factory=lambda: _SDXL_VAE)
    text_encoder: Config | None = field(default_factory=lambda: CLIP_L)
    text_encoder_2: Config | None = None
    is_flexible: bool = False  #: a folder flexible_unet beside the plain one holds the network
    index: Config = field(default_factory=dict)  #: further entries of model_index.json


def _sdxl(unet: Config, parameters: int, **others: Any) -> Published:
    values: Config = {
        "pipeline": "StableDiffusionXLPipeline",
        "scheduler": ("EulerDiscrete", _LEADING),
        "text_encoder_2": OPEN_CLIP_BIG_G,
        "index": {"force_zeros_for_empty_prompt": True},
    }
    return Published(unet=unet, unet_parameters=parameters, **(values | others))


_SD2_BASE = Published(
    "StableDiffusionPipeline", ("PNDM", _PNDM), _SD2, 865_910_724, KL_VAE, _OPEN_CLIP_H
)
_TURBO = ("EulerAncestralDiscrete", _LEADING | {"timestep_spacing": "trailing"})

#: Name in the catalogue → the repository that is its source.
PUBLISHED: dict[str, Published] = {
    "tiny-sd": Published(
        "StableDiffusionPipeline",
        ("DPMSolverMultistep", _BETAS | {"algorithm_type": "dpmsolver++", "solver_order": 2}),
        _TINY_SD,
        323_384_964,
        KL_VAE,
    ),
    "sd21-base": _SD2_BASE,
    "sd21": Published(
        "StableDiffusionPipeline",
        ("DDIM", _LOW_END | {"prediction_type": "v_prediction", "clip_sample": False}),
        _SD2 | {"sample_size": 96, "upcast_attention": True},
        865_910_724,
        KL_VAE | {"sample_size": 768},
        _OPEN_CLIP_H,
    ),
    "sd2-inpaint": Published(
        "StableDiffusionInpaintPipeline",
        ("PNDM", _PNDM),
        _SD2 | {"in_channels": 9},
        865_925_124,
        KL_VAE,
        _OPEN_CLIP_H,
    ),
    "decidiffusion": Published(
        "DeciDiffusionPipeline",
        (
            "DDIM",
            {
                "beta_start": 0.0001,
                "beta_end": 0.02,
                "beta_schedule": "squaredcos_cap_v2",
                "prediction_type": "v_prediction",
                "rescale_betas_zero_snr": True,
                "timestep_spacing": "trailing",
                "set_alpha_to_one": False,
                "steps_offset": 1,
                "clip_sample": False,
            },
        ),
        FLEXIBLE,
        814_746_884,
        KL_VAE,
        is_flexible=True,
    ),
    "sdxl-base": _sdxl(_SDXL, 2_567_463_684),
    "sdxl-refiner": _sdxl(
        _REFINER,
        2_259_526_660,
        pipeline="StableDiffusionXLImg2ImgPipeline",
        text_encoder=None,
        index={"requires_aesthetics_score": True, "force_zeros_for_empty_prompt": False},
    ),
    "ssd-1b": _sdxl(_SSD_1B, 1_331_334_404),
    # The UNet is a repository of its own; with it the source is complete.
    "lcm-ssd-1b": _sdxl(_SSD_1B | {"time_cond_proj_dim": 256}, 1_331_334_404 + 81_920),
    "vega-rt": _sdxl(_VEGA, 745_225_604),
    "sdxl-turbo": _sdxl(_SDXL | {"sample_size": 64}, 2_567_463_684, scheduler=_TURBO),
    "sdxl-turbo-tiny": _sdxl(_SDXL | {"sample_size": 64}, 2_567_463_684, scheduler=_TURBO),
}
