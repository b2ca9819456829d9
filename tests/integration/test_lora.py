"""Low-rank weights are added exactly, whichever way their file names them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from winepress_shared.errors import EnvironmentFault
from winepress_worker.conversion.lora import fuse

LINEAR, CONVOLUTION = "down.0.attn.to_q", "down.0.conv"
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def unet(tmp_path: Path) -> Path:
    """A UNet of two layers in two files, the second one a link to where it came from."""
    folder = tmp_path / "unet"
    folder.mkdir()
    torch.manual_seed(0)
    save_file({f"{LINEAR}.weight": torch.randn(6, 4).half()}, folder / "a.safetensors")
    convolution = {f"{CONVOLUTION}.weight": torch.randn(6, 4, 3, 3), "bias": torch.ones(6)}
    save_file(convolution, tmp_path / "source.safetensors")
    (folder / "b.safetensors").symlink_to(tmp_path / "source.safetensors")
    return folder


def halves() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(1)
    return {
        LINEAR: (torch.randn(2, 4), torch.randn(6, 2)),
        CONVOLUTION: (torch.randn(2, 4, 3, 3), torch.randn(6, 2, 1, 1)),
    }


def read(folder: Path) -> Tensors:
    return {key: value for path in folder.iterdir() for key, value in load_file(path).items()}


def kohya() -> Tensors:
    """Underscores, and an alpha of half the rank."""
    tensors: Tensors = {}
    for path, (down, up) in halves().items():
        key = "lora_unet_" + path.replace(".", "_")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        tensors[f"{key}.alpha"] = torch.tensor(1.0)
    return tensors


def diffusers_style(down_name: str, up_name: str) -> Tensors:
    tensors: Tensors = {}
    for path, (down, up) in halves().items():
        tensors |= {f"unet.{path}.{down_name}": down, f"unet.{path}.{up_name}": up}
    return tensors


@pytest.mark.parametrize(
    ("tensors", "scale"),
    [
        (kohya(), 0.5),
        (diffusers_style("lora_A.weight", "lora_B.weight"), 1.0),
        (diffusers_style("lora.down.weight", "lora.up.weight"), 1.0),
    ],
    ids=["kohya", "peft", "diffusers"],
)
def test_weights_plus_product_is_what_the_layers_together_compute(
    tmp_path: Path, unet: Path, tensors: Tensors, scale: float
) -> None:
    """For linear layers and convolutions; dtype, other weights and the source stay."""
    before = read(unet)
    save_file(tensors, tmp_path / "lora.safetensors")
    fuse(tmp_path / "lora.safetensors", unet)
    after = read(unet)
    down, up = halves()[LINEAR]
    row = torch.randn(3, 4)
    wanted = row @ before[f"{LINEAR}.weight"].float().T + scale * (row @ down.T @ up.T)
    torch.testing.assert_close(row @ after[f"{LINEAR}.weight"].float().T, wanted, atol=0.02, rtol=0)
    down, up = halves()[CONVOLUTION]
    conv, plane = torch.nn.functional.conv2d, torch.randn(1, 4, 5, 5)
    wanted = conv(plane, before[f"{CONVOLUTION}.weight"]) + scale * conv(conv(plane, down), up)
    torch.testing.assert_close(conv(plane, after[f"{CONVOLUTION}.weight"]), wanted)
    assert {key: value.dtype for key, value in after.items()} == {
        key: value.dtype for key, value in before.items()
    }
    assert torch.equal(after["bias"], before["bias"])
    source = load_file(tmp_path / "source.safetensors")
    assert torch.equal(source[f"{CONVOLUTION}.weight"], before[f"{CONVOLUTION}.weight"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"unet.nowhere.lora_A.weight": torch.ones(2, 4)}, "1 layers.*not in this UNet"),
        ({"text_encoder.x.lora_A.weight": torch.ones(2, 4)}, "not a name"),
        ({f"unet.{LINEAR}.lora_A.weight": torch.ones(2, 5)}, "does not fit"),
        ({f"unet.{LINEAR}.lora_B.weight": None}, "does not fit"),
    ],
)
def test_weights_of_another_model_are_refused(
    tmp_path: Path, unet: Path, change: dict[str, torch.Tensor | None], problem: str
) -> None:
    """Silently leaving a layer out would draw something else than was published."""
    tensors = diffusers_style("lora_A.weight", "lora_B.weight") | change
    kept = {key: value for key, value in tensors.items() if value is not None}
    save_file(kept, tmp_path / "lora.safetensors")
    with pytest.raises(EnvironmentFault, match=problem):
        fuse(tmp_path / "lora.safetensors", unet)
