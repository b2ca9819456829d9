"""Fuses low-rank weights (LoRA, arXiv:2106.09685) into a UNet's own weights.

``W += alpha / rank · B · A`` for every layer the file names. Two naming schemes are supported:
``unet.PATH.lora_A.weight`` (or ``lora.down``) of diffusers, with dots in the path, and
``lora_unet_PATH.lora_down.weight`` with an ``alpha`` beside it, with underscores.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from winepress_shared.errors import EnvironmentFault

_KEY = re.compile(
    r"(?:lora_unet_|unet\.)(?P<path>.+?)\.(?:processor\.)?"
    r"(?:(?P<down>lora_A|lora_down|lora\.down)|(?P<up>lora_B|lora_up|lora\.up)|(?P<alpha>alpha))"
    r"(?:\.weight)?\Z"
)


@dataclass
class _Layer:
    """The low-rank weights of one layer."""

    down: torch.Tensor | None = None
    up: torch.Tensor | None = None
    alpha: float | None = None  #: None means the rank: the product is added unscaled

    def product(self) -> torch.Tensor | None:
        """The matrix to add to the weights, in 32 bits; None if one of its factors is missing."""
        if self.down is None or self.up is None:
            return None
        rank = self.down.shape[0]
        product = self.up.float().flatten(1) @ self.down.float().flatten(1)
        return product * ((self.alpha if self.alpha is not None else rank) / rank)


def fuse(lora: Path, unet: Path) -> None:
    """Replace the weight files in ``unet`` by files with ``lora`` added.

    Raises EnvironmentFault if a layer is not in the UNet, is incomplete or has another shape.
    """
    layers = _read(lora)
    for path in sorted(unet.glob("*.safetensors")):
        weights = load_file(path)
        for name in weights:
            layer = layers.pop(_plain(name.removesuffix(".weight")), None)
            if layer is not None:
                weights[name] = _add(weights[name], layer, name)
        path.unlink()  # may be a link to the source, which must not change
        save_file(weights, path, metadata={"format": "pt"})
    if layers:
        raise EnvironmentFault(
            f"{len(layers)} layers of the low-rank weights are not in this UNet",
            value=sorted(layers)[0],
        )


def _add(weights: torch.Tensor, layer: _Layer, name: str) -> torch.Tensor:
    product = layer.product()
    if product is None or product.numel() != weights.numel():
        raise EnvironmentFault(
            "the shape of the low-rank weights does not fit the UNet", value=name
        )
    return (weights.float() + product.reshape(weights.shape)).to(weights.dtype)


def _read(path: Path) -> dict[str, _Layer]:
    """Layers by path, with dots as underscores, which both naming schemes allow."""
    layers: dict[str, _Layer] = {}
    for key, tensor in load_file(path).items():
        match = _KEY.match(key)
        if match is None:
            raise EnvironmentFault("not a name of low-rank weights of a UNet", value=key)
        layer = layers.setdefault(_plain(match["path"]), _Layer())
        if match["down"]:
            layer.down = tensor
        elif match["up"]:
            layer.up = tensor
        else:
            layer.alpha = float(tensor)
    return layers


def _plain(path: str) -> str:
    # Older files name the attention's output layer without its index 0.
    return re.sub(r"_to_out$", "_to_out_0", path.replace(".", "_"))
