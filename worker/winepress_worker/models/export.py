"""From weights in diffusers' format to OpenVINO IR, one file a part.

The whole pipeline is built in this process and handed to the exporter, rather than a path: so a
network of our own class goes the same way as all others.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import openvino
import torch
from diffusers import AutoencoderTiny
from optimum.exporters.openvino.convert import export_from_model
from optimum.intel import OVConfig
from safetensors import SafetensorError

from winepress_worker.models.flexible_unet import UNet2DConditionModel as FlexibleUNet
from winepress_worker.models.weights import is_half

#: Job kind a model is exported for → optimum's name of it.
_TASKS = {
    "text-to-image": "text-to-image",
    "image-to-image": "image-to-image",
    "inpaint": "inpainting",
}
IR_FILE = "openvino_model.xml"  #: graph of a part; its weights lie beside it
_TRACED_LATENT_PX = 8  #: side of the latents a tiny autoencoder is traced with; any size works then


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise OSError for a write that failed, of which OpenVINO says only "iostream error"."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and "iostream" not in str(error):
            raise
        raise OSError("a file could not be written in full; is the disk full?") from error


def export(kind: str, source: Path, target: Path) -> None:
    """Write the IR of the diffusers folder ``source``, with 16-bit weights, for jobs of ``kind``.

    Raises what diffusers and optimum raise for a folder that fits together badly.
    """
    pipeline = _load(source)
    with warnings.catch_warnings():
        # Tracing warns of every shape check it freezes; the picture drawn afterwards is the proof.
        warnings.simplefilter("ignore")
        export_from_model(
            pipeline,
            output=target,
            task=_TASKS[kind],
            ov_config=OVConfig(dtype="fp16"),
            patch_16bit_model=pipeline.unet.dtype == torch.float16,
        )
    _forget_paths(target)


def export_tiny_vae(source: Path, target: Path, prefix: str = "") -> None:
    """Replace the autoencoder in the exported folder ``target`` by the AutoencoderTiny ``source``.

    With a ``prefix`` to the names of its two parts it is put beside the autoencoder instead.

    optimum exports no such class, but its pipelines run one whose ports have the names they look
    for: ``sample`` → ``latent_sample`` and ``latent_sample`` → ``sample``.
    """
    network = AutoencoderTiny.from_pretrained(source, use_safetensors=True).eval()
    channels = network.config.latent_channels
    scale = 2 ** (len(network.config.decoder_block_out_channels) - 1)
    latents = torch.zeros(1, channels, _TRACED_LATENT_PX, _TRACED_LATENT_PX)
    pixels = torch.zeros(1, 3, _TRACED_LATENT_PX * scale, _TRACED_LATENT_PX * scale)
    _convert(_Encode(network), pixels, ("sample", "latent_sample"), target / f"{prefix}vae_encoder")
    _convert(
        _Decode(network), latents, ("latent_sample", "sample"), target / f"{prefix}vae_decoder"
    )
    for part in ("vae_encoder", "vae_decoder"):
        network.save_config(target / f"{prefix}{part}")
    _forget_paths(target)


class _Encode(torch.nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        latents: torch.Tensor = self.network.encode(sample).latents
        return latents


class _Decode(_Encode):
    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        pixels: torch.Tensor = self.network.decode(sample).sample
        return pixels


def _convert(
    network: torch.nn.Module, example: torch.Tensor, ports: tuple[str, str], folder: Path
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        shape = [-1, example.shape[1], -1, -1]
        model = openvino.convert_model(network, example_input=example, input=shape)
    for port, name in zip((model.inputs[0], model.outputs[0]), ports, strict=True):
        port.get_tensor().set_names({name})
    folder.mkdir(exist_ok=True)
    openvino.save_model(model, folder / IR_FILE, compress_to_fp16=True)


def _load(source: Path) -> Any:
    """The pipeline, in 16 bits if its weights are, since that halves the memory."""
    index = json.loads((source / "model_index.json").read_bytes())
    given: dict[str, Any] = {
        "torch_dtype": torch.float16 if is_half(source / "unet") else torch.float32,
        "use_safetensors": True,
        "local_files_only": True,
    }
    parts = {}
    if "configurations" in json.loads((source / "unet" / "config.json").read_bytes()):
        parts["unet"] = FlexibleUNet.from_pretrained(source / "unet", **given)
    return getattr(diffusers, index["_class_name"]).from_pretrained(source, **given, **parts)


def _forget_paths(folder: Path) -> None:
    """Drop the work folder's name from the configurations, so equal exports are equal in bytes."""
    for path in [folder / "model_index.json", *folder.glob("*/config.json")]:
        config = json.loads(path.read_bytes())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
