"""The networks of both models and their noise schedule."""

from typing import Any, Final

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

Network = Any  # diffusers' classes have no usable types
Weights = dict[str, torch.Tensor]

TOKENS: Final = 32  # length of every encoded prompt
LATENT_SIDE: Final = 16  # cells
LATENT_CHANNELS: Final = 4
INPAINT_CHANNELS: Final = 9  # latents, mask, latents of the masked picture
TIMESTEPS: Final = 1000
TEXT_WIDTH: Final = 128
STUDENT_TIMES: Final = (999, 749, 499, 249)  # trailing spacing of four steps

NARROW: Final = (16, 32, 64, 96)  # the first autoencoder, 128 pixels
DEEP: Final = (16, 16, 32, 64, 96)  # one level more, 256 pixels
WIDE: Final = (16, 16, 32, 128, 192)  # the shipped one: the same, its coarse levels twice as wide

_SCHEDULE: Final = {
    "num_train_timesteps": TIMESTEPS,
    "beta_start": 0.00085,
    "beta_end": 0.02,
    "beta_schedule": "scaled_linear",
}


def build_autoencoder(channels: tuple[int, ...] = WIDE, side: int = 256) -> Network:
    """Build an untrained autoencoder; every level after the first halves the side."""
    levels = len(channels)
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=1,
        sample_size=side,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def build_denoiser(in_channels: int = LATENT_CHANNELS) -> Network:
    """Build an untrained UNet of 6.2 million parameters."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=in_channels,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(48, 96, 144),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(1, 2, 3),
    )


def build_text_encoder(tokenizer: Any) -> Network:
    """Build an untrained text encoder of 0.8 million parameters."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=512,
        num_attention_heads=4,
        num_hidden_layers=3,
        projection_dim=TEXT_WIDTH,
        max_position_embeddings=TOKENS,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def build_scheduler(spacing: str = "leading") -> Network:
    """Build a shipped scheduler: leading spacing, because not every runtime has trailing."""
    return DDIMScheduler(
        **_SCHEDULE,
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing=spacing,
        steps_offset=1,
    )


def signal_shares() -> torch.Tensor:
    """The share of signal (squared amplitude) at each timestep."""
    shares: torch.Tensor = build_scheduler().alphas_cumprod
    return shares.float()


def mix_noise(
    clean: torch.Tensor, noise: torch.Tensor, shares: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The noised latents and the velocity that the UNet must predict."""
    signal = shares.sqrt()[:, None, None, None]
    rest = (1 - shares).sqrt()[:, None, None, None]
    return signal * clean + rest * noise, signal * noise - rest * clean


def recover(noised: torch.Tensor, velocity: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The clean latents for a predicted velocity."""
    signal = shares.sqrt()[:, None, None, None]
    rest = (1 - shares).sqrt()[:, None, None, None]
    return signal * noised - rest * velocity


def widen_input(weights: Weights) -> Weights:
    """Add five input channels with zero weights to a 4-channel UNet."""
    kernel = weights["conv_in.weight"]
    if kernel.shape[1] == INPAINT_CHANNELS:
        return weights
    extra = kernel.new_zeros(kernel.shape[0], INPAINT_CHANNELS - kernel.shape[1], 3, 3)
    return weights | {"conv_in.weight": torch.cat([kernel, extra], 1)}
