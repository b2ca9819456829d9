"""A folder of twins laid out like a copy of a model hub, and plain diffusers to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderTiny, LCMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from support.twins.published import PUBLISHED
from support.twins.tiny import build, build_tiny_vae, tiny_unet
from winepress_shared.catalogue import Catalogue
from winepress_shared.model import Model
from winepress_worker.conversion.flexible_unet import UNet2DConditionModel as FlexibleUNet

_RANK = 4
_ALPHA = 2.0  #: half the rank, so that leaving it out shows
_LORA_FILE = "pytorch_lora_weights.safetensors"


class Mirror:
    """Builds the repositories of a catalogue entry on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def provide(self, model: Model) -> Path:
        """Have every repository of ``model`` below the root; returns the main one's folder."""
        main = self._place(model.source)
        if not main.exists():
            # The consistency UNet is published alone, for the pipeline of another entry.
            build(PUBLISHED["ssd-1b" if model.unet else model.name], main)
        if model.unet:
            self._unet(model.name, self._place(model.unet))
        if model.lora:
            self._lora(main, self._place(model.lora))
        if model.tiny_vae and not self._place(model.tiny_vae).exists():
            build_tiny_vae(self._place(model.tiny_vae))
        return main

    def reference(self, model: Model, cls: str) -> Any:
        """Diffusers' own pipeline ``cls`` on the same weights, computing in 32 bits."""
        main = self.provide(model)
        if PUBLISHED[model.name].is_flexible:
            return _deci(main)
        given: dict[str, Any] = {"torch_dtype": torch.float32}
        if model.unet:
            place = self._place(model.unet)
            given["unet"] = diffusers.UNet2DConditionModel.from_pretrained(place, **given)
        if model.tiny_vae and model.tiny_vae_only:
            place = self._place(model.tiny_vae)
            given["vae"] = AutoencoderTiny.from_pretrained(place, **given)
        pipe = getattr(diffusers, cls).from_pretrained(main, **given)
        if model.lora:
            _hang_on(pipe.unet, load_file(self._place(model.lora) / _LORA_FILE))
        if model.unet or model.lora:
            pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def tiny_vae(self, model: Model) -> Any:
        """The AutoencoderTiny beside the autoencoder of ``model``, computing in 32 bits."""
        place = self._place(model.tiny_vae or "")
        return AutoencoderTiny.from_pretrained(place, torch_dtype=torch.float32)

    def _place(self, source: str) -> Path:
        return self.root / source.removeprefix("hub:")

    def _unet(self, name: str, place: Path) -> None:
        if not place.exists():
            tiny_unet(PUBLISHED[name]).half().save_pretrained(place)

    def _lora(self, main: Path, place: Path) -> None:
        if not place.exists():
            build_lora(main, place)


def build_lora(main: Path, place: Path) -> None:
    """Write low-rank weights for the UNet of ``main`` into the new folder ``place``."""
    place.mkdir(parents=True)
    torch.manual_seed(5)
    weights = load_file(main / "unet" / "diffusion_pytorch_model.safetensors")
    lora: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        if "attn" in name and name.endswith("weight") and tensor.ndim == 2:
            key = "lora_unet_" + name.removesuffix(".weight").replace(".", "_")
            lora[f"{key}.lora_down.weight"] = torch.randn(_RANK, tensor.shape[1]).half() / 8
            lora[f"{key}.lora_up.weight"] = torch.randn(tensor.shape[0], _RANK).half() / 8
            lora[f"{key}.alpha"] = torch.tensor(_ALPHA)
    save_file(lora, place / _LORA_FILE)


def twin_catalogue(side_px: int) -> Catalogue:
    """The built-in catalogue with pictures of ``side_px`` by default, quick to draw."""
    full = Catalogue.load()
    sizes = {"width": side_px, "height": side_px}
    return Catalogue({name: full.get(name).model_copy(update=sizes) for name in full.names})


def _deci(main: Path) -> Any:
    whole = torch.float32
    return StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL.from_pretrained(main / "vae", torch_dtype=whole),
        text_encoder=CLIPTextModel.from_pretrained(main / "text_encoder", dtype=whole),
        tokenizer=CLIPTokenizer.from_pretrained(main / "tokenizer"),
        unet=FlexibleUNet.from_pretrained(main / "flexible_unet", torch_dtype=whole),
        scheduler=diffusers.DDIMScheduler.from_pretrained(main / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _hang_on(unet: Any, lora: dict[str, torch.Tensor]) -> None:
    """Let every layer add its low-rank product while it runs, its own weights untouched."""

    def add(down: torch.Tensor, up: torch.Tensor, scale: float) -> Any:
        def hook(_layer: Any, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> Any:
            return result + scale * (given[0] @ down.T @ up.T)

        return hook

    for name, layer in unet.named_modules():
        key = "lora_unet_" + name.replace(".", "_")
        if f"{key}.alpha" in lora:
            down, up = (lora[f"{key}.lora_{way}.weight"].float() for way in ("down", "up"))
            scale = float(lora[f"{key}.alpha"]) / down.shape[0]
            layer.register_forward_hook(add(down, up, scale))
