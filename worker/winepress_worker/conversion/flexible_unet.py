"""DeciDiffusion's UNet: every block has its own numbers of residual and attention layers.

Its weights were trained with three deviations from diffusers' own blocks: skips are taken after
residual layers only, never after attention; the first residual layer of the middle is applied
twice; and the middle ends with an upsampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import diffusers
import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.resnet import Downsample2D, ResnetBlock2D, Upsample2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

_LEVELS = 4  #: of the parent class; hence the sides of latents must be divisible by 8


class _Layers:
    """Makes the layers of one block."""

    def __init__(self, configurations: dict[str, Any], channels: int) -> None:
        self._given = configurations
        self._channels = channels

    def residual(self, channels_in: int) -> ResnetBlock2D:
        return ResnetBlock2D(
            in_channels=channels_in,
            out_channels=self._channels,
            temb_channels=self._given["temb_dim"],
            eps=self._given["resnet_eps"],
            non_linearity=self._given["resnet_act_fn"],
        )

    def attention(self) -> Transformer2DModel:
        heads = self._given["num_attention_heads"]
        return Transformer2DModel(
            heads,
            self._channels // heads,
            in_channels=self._channels,
            cross_attention_dim=self._given["cross_attention_dim"],
        )

    def order(self, pairs: Iterator[nn.Module]) -> nn.ModuleList:
        """The layers alternating, or all residual layers first."""
        layers = list(pairs)
        if not self._given["mix_block_in_forward"]:
            layers.sort(key=lambda layer: not isinstance(layer, ResnetBlock2D))
        return nn.ModuleList(layers)


class _Block(nn.Module):
    """The base of the three kinds of block: layers applied one after the other."""

    has_cross_attention = True

    def __init__(self, layers: nn.ModuleList) -> None:
        super().__init__()
        self.modules_list = layers  # the name the weights are stored under

    def _apply_layer(
        self, layer: nn.Module, hidden: Tensor, temb: Tensor | None, context: dict[str, Any]
    ) -> Tensor:
        result: Tensor
        if isinstance(layer, ResnetBlock2D):
            result = layer(hidden, temb)
        else:
            (result,) = layer(hidden, return_dict=False, **context)
        return result


class _DownBlock(_Block):
    def __init__(
        self, layers: nn.ModuleList, channels: int, is_downsampling: bool, is_last: bool
    ) -> None:
        super().__init__(layers)
        self._is_last = is_last
        self.downsamplers = nn.ModuleList(
            [Downsample2D(channels, use_conv=True, name="op")] if is_downsampling else []
        )

    def forward(
        self, hidden_states: Tensor, temb: Tensor, **context: Any
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        skips: tuple[Tensor, ...] = ()
        for layer in self.modules_list:
            hidden_states = self._apply_layer(layer, hidden_states, temb, context)
            if isinstance(layer, ResnetBlock2D):
                skips += (hidden_states,)
        for downsampler in self.downsamplers:
            hidden_states = downsampler(hidden_states)
            if not self._is_last:
                skips += (hidden_states,)
        return hidden_states, skips


class _MidBlock(_Block):
    def __init__(self, layers: nn.ModuleList, channels: int, is_upsampling: bool) -> None:
        super().__init__(layers)
        self.upsamplers = nn.ModuleList(
            [Upsample2D(channels, use_conv=True)] if is_upsampling else []
        )

    def forward(self, hidden_states: Tensor, temb: Tensor, **context: Any) -> Tensor:
        # As in training, the first layer is applied twice.
        for layer in (self.modules_list[0], *self.modules_list):
            hidden_states = self._apply_layer(layer, hidden_states, temb, context)
        for upsampler in self.upsamplers:
            hidden_states = upsampler(hidden_states)
        return hidden_states


class _UpBlock(_Block):
    def __init__(self, layers: nn.ModuleList, channels: int, is_upsampling: bool) -> None:
        super().__init__(layers)
        #: Only the parent class reads this: its length is the number of skips this block gets.
        self.resnets = [layer for layer in layers if isinstance(layer, ResnetBlock2D)]
        self.upsamplers = nn.ModuleList(
            [Upsample2D(channels, use_conv=True)] if is_upsampling else []
        )

    def forward(
        self,
        hidden_states: Tensor,
        temb: Tensor,
        res_hidden_states_tuple: tuple[Tensor, ...],
        upsample_size: int | None = None,
        **context: Any,
    ) -> Tensor:
        skips = list(res_hidden_states_tuple)
        for layer in self.modules_list:
            if isinstance(layer, ResnetBlock2D):
                hidden_states = torch.cat([hidden_states, skips.pop()], dim=1)
            hidden_states = self._apply_layer(layer, hidden_states, temb, context)
        for upsampler in self.upsamplers:
            hidden_states = upsampler(hidden_states, upsample_size)
        return hidden_states


class UNet2DConditionModel(diffusers.UNet2DConditionModel):  # type: ignore[misc]
    """The network of ``flexible_unet/``, named like its parent because exporters go by the name."""

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, configurations: dict[str, Any]) -> None:
        """``configurations`` is the entry of that name in the folder's ``config.json``."""
        # The parent's own blocks are replaced below, so they are created as small as possible.
        super().__init__(
            sample_size=configurations["sample_size"],
            cross_attention_dim=configurations["cross_attention_dim"],
            block_out_channels=(configurations["down_blocks_in_channels"][0],) * _LEVELS,
            down_block_types=("DownBlock2D",) * _LEVELS,
            mid_block_type=None,
            up_block_types=("UpBlock2D",) * _LEVELS,
            layers_per_block=1,
        )
        self.down_blocks = nn.ModuleList(_down_blocks(configurations))
        self.mid_block = _mid_block(configurations)
        self.up_blocks = nn.ModuleList(_up_blocks(configurations))


def _down_blocks(given: dict[str, Any]) -> Iterator[_DownBlock]:
    levels = len(given["down_blocks_out_channels"])
    for level in range(levels):
        channels = given["down_blocks_out_channels"][level]
        make = _Layers(given, channels)
        count = given["down_blocks_num_resnets"][level]
        widths = [given["down_blocks_in_channels"][level]] + [channels] * (count - 1)
        yield _DownBlock(
            make.order(_in_turns(make, widths, given["down_blocks_num_attentions"][level])),
            channels,
            given["add_downsample"][level],
            level == levels - 1,
        )


def _mid_block(given: dict[str, Any]) -> _MidBlock:
    channels = given["down_blocks_out_channels"][-1]
    make = _Layers(given, channels)

    def row() -> Iterator[nn.Module]:
        yield make.residual(channels)
        counts = (given["mid_num_attentions"], given["mid_num_resnets"])
        for attention, residual in zip_longest(*([True] * count for count in counts)):
            if attention:
                yield make.attention()
            if residual:
                yield make.residual(channels)

    return _MidBlock(make.order(row()), channels, given["add_upsample_mid_block"])


def _up_blocks(given: dict[str, Any]) -> Iterator[_UpBlock]:
    outs = given["down_blocks_out_channels"][::-1]
    ins = given["down_blocks_in_channels"][::-1]
    for level, channels in enumerate(outs):
        make = _Layers(given, channels)
        count = given["up_blocks_num_resnets"][level]
        befores = [given["prev_output_channels"][level]] + [channels] * (count - 1)
        skips = [channels] * (count - 1) + [ins[level]]
        widths = [before + skip for before, skip in zip(befores, skips, strict=True)]
        attentions = given["up_blocks_num_attentions"][level]
        yield _UpBlock(
            make.order(_in_turns(make, widths, attentions)), channels, given["add_upsample"][level]
        )


def _in_turns(make: _Layers, widths: list[int], attentions: int) -> Iterator[nn.Module]:
    """Residual layers of each width, alternating with attention layers; the rest follows."""
    for width, attention in zip_longest(widths, [True] * attentions):
        if width is not None:
            yield make.residual(width)
        if attention:
            yield make.attention()
