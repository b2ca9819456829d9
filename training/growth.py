"""Analytic initial weights for the autoencoder: a linear one for colour, and ways to grow it."""

from typing import Final

import torch
from torch import nn

from training.networks import DEEP, WIDE, Network, Weights, build_autoencoder

_CARRIED: Final = 8  # +RGB, -RGB and two constants are in the first channels
_TO_MEAN: Final = ((0, 0, 0.25), (0, 1, 0.25), (1, 0, 0.25), (1, 1, 0.25))
_TO_SAME: Final = ((1, 1, 1.0),)


@torch.no_grad()
def carry_colour(vae: Network) -> None:
    """Initialise the autoencoder as a linear one, so that only detail has to be learned.

    +RGB and -RGB pass through the residual stream (2x2 means down, nearest neighbours up), because
    silu(x) - silu(-x) = x undoes the last activation. From random weights colours take thousands of
    steps. Two constants keep the norms from normalising each picture's contrast away.
    """
    for part, blocks in (
        (vae.encoder, vae.encoder.down_blocks),
        (vae.decoder, vae.decoder.up_blocks),
    ):
        _split_signs(part.conv_in)
        _join_signs(part.conv_out)
        for block in [*blocks, part.mid_block]:
            _clear_block(block)
    _pass_through(vae.quant_conv, 3, _TO_SAME)
    _pass_through(vae.post_quant_conv, 3, _TO_SAME)
    vae.quant_conv.weight[4:].mul_(0.1)
    vae.quant_conv.bias[4:] = -7.0  # little posterior noise at first


def _clear_block(block: Network) -> None:
    """Make a block pass the carried channels unchanged."""
    for resnet in block.resnets:
        resnet.conv2.weight.mul_(0.5)
        resnet.conv2.weight[:_CARRIED].zero_()
        resnet.conv2.bias[:_CARRIED].zero_()
        if resnet.conv_shortcut is not None:
            _pass_through(resnet.conv_shortcut, _CARRIED, _TO_SAME)
    for sampler in getattr(block, "downsamplers", None) or []:
        _pass_through(sampler.conv, _CARRIED, _TO_MEAN)
    for sampler in getattr(block, "upsamplers", None) or []:
        _pass_through(sampler.conv, _CARRIED, _TO_SAME)


def _pass_through(conv: nn.Conv2d, count: int, taps: tuple[tuple[int, int, float], ...]) -> None:
    """Make the first channels of a convolution copy (or average) their input."""
    conv.weight[:count].zero_()
    if conv.bias is not None:
        conv.bias[:count].zero_()
    for channel in range(count):
        if conv.weight.shape[-1] == 1:
            conv.weight[channel, channel] = 1
            continue
        for row, column, value in taps:
            conv.weight[channel, channel, row, column] = value


def _split_signs(conv: nn.Conv2d) -> None:
    """Make a convolution output its input with both signs, and two constants."""
    centre = conv.weight.shape[-1] // 2
    conv.weight[:_CARRIED].zero_()
    assert conv.bias is not None
    conv.bias[:_CARRIED].zero_()
    conv.bias[6], conv.bias[7] = 3.0, -3.0
    for channel in range(3):
        conv.weight[channel, channel, centre, centre] = 1
        conv.weight[channel + 3, channel, centre, centre] = -1


def _join_signs(conv: nn.Conv2d) -> None:
    """Make a convolution compute the difference of both signs; 0.8 is the norms' mean gain."""
    conv.weight[:3].zero_()
    assert conv.bias is not None
    conv.bias[:3].zero_()
    for channel in range(3):
        conv.weight[channel, channel, 1, 1] = 0.8
        conv.weight[channel, channel + 3, 1, 1] = -0.8


@torch.no_grad()
def add_outer_level(narrow: Network) -> Network:
    """Grow a 128-pixel autoencoder to 256 pixels without changing its latents.

    The encoder's new level is exactly a 2x2 mean, because its first convolution has only a centre
    tap. The decoder's new level starts as a doubling of the old features.
    """
    deep = build_autoencoder(DEEP)
    for name in ("quant_conv", "post_quant_conv"):
        _copy(getattr(narrow, name), getattr(deep, name))
    for name in ("conv_in", "mid_block", "conv_norm_out", "conv_out"):
        _copy(getattr(narrow.encoder, name), getattr(deep.encoder, name))
        _copy(getattr(narrow.decoder, name), getattr(deep.decoder, name))
    first = deep.encoder.down_blocks[0]
    _silence(first.resnets[0].conv2)
    _pass_through(first.downsamplers[0].conv, DEEP[0], _TO_MEAN)
    pairs = zip(narrow.encoder.down_blocks, deep.encoder.down_blocks[1:], strict=True)
    for old, new in pairs:
        _copy(old, new)
    for old, new in zip(narrow.decoder.up_blocks, deep.decoder.up_blocks[:-1], strict=True):
        _copy(old, new)
    _pass_through(deep.decoder.up_blocks[-2].upsamplers[0].conv, DEEP[0], _TO_SAME)
    for resnet in deep.decoder.up_blocks[-1].resnets:
        resnet.conv2.weight.mul_(0.1)
        resnet.conv2.bias.zero_()
    return deep


def _copy(old: Network, new: Network) -> None:
    """Copy weights; a block with a new sampler keeps the sampler's weights."""
    new.load_state_dict(old.state_dict(), strict=False)


def _silence(conv: nn.Conv2d) -> None:
    """Make a convolution output zeros."""
    conv.weight.zero_()
    assert conv.bias is not None
    conv.bias.zero_()


@torch.no_grad()
def widen(deep: Weights) -> Network:
    """Double the width of a 256-pixel autoencoder's coarse levels without changing its output.

    Every channel is duplicated, which does not change the norms (one group each), and the weights
    that read it are divided between the copies: evenly in the encoder, randomly in the decoder, so
    that the copies can learn different features.
    """
    wide = build_autoencoder(WIDE)
    grown = {
        name: _doubled(deep[name], target, uneven=name.startswith("decoder"))
        for name, target in wide.state_dict().items()
    }
    wide.load_state_dict(grown)
    return wide


def _doubled(old: torch.Tensor, target: torch.Tensor, uneven: bool) -> torch.Tensor:
    """Repeat a weight's outputs and divide its inputs until it has the target's shape."""
    if old.shape[0] != target.shape[0]:
        old = torch.cat([old, old])
    if old.dim() == 1 or old.shape[1] == target.shape[1]:
        return old.contiguous()
    share = torch.full((old.shape[0], old.shape[1], 1, 1), 0.5)
    if uneven:
        share.uniform_(-0.2, 1.2)
    return torch.cat([old * share, old * (1 - share)], 1).contiguous()
