"""The habits of DeciDiffusion's UNet that its weights depend on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.twins.published import PUBLISHED
from support.twins.tiny import tiny_unet

from winepress_worker.conversion.flexible_unet import UNet2DConditionModel


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return tiny_unet(PUBLISHED["decidiffusion"]).eval()


def run(network: Any) -> torch.Tensor:
    with torch.no_grad():
        sample, text = torch.ones(1, 4, 16, 16), torch.ones(1, 77, 32)
        result: torch.Tensor = network(sample, torch.tensor(500), text).sample
    return result


def kinds(layers: Any) -> str:
    """One letter a layer: residual or attention."""
    return "".join("R" if "Resnet" in type(layer).__name__ else "A" for layer in layers)


def test_layers_come_in_the_published_order(network: Any) -> None:
    """Residual and attention layers in turns; in the middle, attention comes first of each pair."""
    assert [kinds(block.modules_list) for block in network.down_blocks] == ["RR", "RAR", "RAAA"]
    assert kinds(network.mid_block.modules_list) == "RARARRR"
    assert [kinds(block.modules_list) for block in network.up_blocks] == [
        "RARAAAAA",
        "RARARA",
        "RRR",
    ]


def test_first_layer_of_the_middle_is_applied_twice(network: Any) -> None:
    """And every other layer once."""
    calls: list[int] = []
    layers = list(network.mid_block.modules_list)
    hooks = [
        layer.register_forward_hook(lambda *_, number=number: calls.append(number))
        for number, layer in enumerate(layers)
    ]
    run(network)
    for hook in hooks:
        hook.remove()
    assert calls == [0, *range(len(layers))]


def test_skips_are_taken_before_attention(network: Any) -> None:
    """After each residual layer and each downsampling but the last block's."""
    block = network.down_blocks[1]
    seen: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, _given, result: seen.append(result))
        for layer in block.modules_list
        if "Resnet" in type(layer).__name__
    ]
    given = {"temb": torch.ones(1, 128), "encoder_hidden_states": torch.ones(1, 77, 32)}
    with torch.no_grad():
        end, skips = block(torch.ones(1, 32, 16, 16), **given)
        last = network.down_blocks[2](torch.ones(1, 64, 16, 16), **given)
    for hook in hooks:
        hook.remove()
    assert [skip is one for skip, one in zip(skips, seen, strict=False)] == [True] * len(seen)
    assert skips[-1] is end
    assert len(last[1]) == 1


def test_residual_layers_come_first_when_not_mixed() -> None:
    """The other order its configuration knows."""
    given = PUBLISHED["decidiffusion"].unet | {"mix_block_in_forward": False}
    with torch.device("meta"):
        network = UNet2DConditionModel(configurations=given)
    assert kinds(network.up_blocks[0].modules_list) == "RRAAAAAA"


def test_output_has_the_shape_of_the_sample(network: Any) -> None:
    """The middle's upsampling makes up for the third downsampling."""
    assert run(network).shape == (1, 4, 16, 16)
