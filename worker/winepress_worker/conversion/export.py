"""From weights in diffusers' format to OpenVINO IR, one file a part.

Pipelines are built in this process and handed to the exporter, rather than a path: so a network of
our own class goes the same way as all others, and one network at a time has its weights in memory.
"""

from __future__ import annotations

import contextlib
import gc
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openvino
import torch
from diffusers import AutoencoderTiny
from optimum.exporters.openvino.convert import export_models, get_diffusion_models_for_export_ext
from optimum.intel import OVConfig
from safetensors import SafetensorError

from winepress_worker.conversion.meta_pipeline import networks, pipeline_with

IR_FILE = "openvino_model.xml"  #: graph of a part; its weights lie beside it
#: Side of the latents or pictures that networks are traced with; any size works then. The one that
#: SDXL's autoencoder was trained at takes 5 GiB. Three halvings must leave a whole number.
_TRACED_PX = 24
_TRACED_LATENT_PX = 8  #: the same for a tiny autoencoder's latents


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise OSError for a write that failed, of which OpenVINO says only "iostream error"."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and "iostream" not in str(error):
            raise
        raise OSError("a file could not be written in full; is the disk full?") from error


def export(source: Path, target: Path) -> None:
    """Write the IR of the diffusers folder ``source``, with 16-bit weights, one part at a time.

    Raises what diffusers and optimum raise for a folder that fits together badly.
    """
    for part in sorted(networks(source)):
        _export_part(pipeline_with(part, source), target)
        gc.collect()  # networks that know themselves would stay until later
    _save_rest(pipeline_with(None, source), target)
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


def _export_part(pipeline: Any, target: Path) -> None:
    """Write IR and configuration of all in ``pipeline`` that has weights."""
    _, found = get_diffusion_models_for_export_ext(pipeline)
    held = {name: pair for name, pair in found.items() if not next(pair[0].parameters()).is_meta}
    for name, (network, _) in held.items():  # first, for tracing changes what they say
        save_config = getattr(network, "save_config", None) or network.config.save_pretrained
        save_config(target / name)
        network.config.sample_size = _TRACED_PX  # read by optimum alone, as are its own settings
    with warnings.catch_warnings():
        # Tracing warns of every shape check it freezes; the picture drawn afterwards is the proof.
        warnings.simplefilter("ignore")
        export_models(
            held,
            output_dir=target,
            output_names=[f"{name}/{IR_FILE}" for name in held],
            input_shapes={"width": _TRACED_PX, "height": _TRACED_PX},
            ov_config=OVConfig(dtype="fp16"),
            stateful=False,
            patch_16bit_model=any(network.dtype == torch.float16 for network, _ in held.values()),
            library_name="diffusers",
        )


def _save_rest(pipeline: Any, target: Path) -> None:
    """Write what has no weights: tokenizers, scheduler and index."""
    for name, component in pipeline.components.items():
        if component is not None and not isinstance(component, torch.nn.Module):
            component.save_pretrained(target / name)
    pipeline.save_config(target)


def _forget_paths(folder: Path) -> None:
    """Drop the work folder's name from the configurations, so equal exports are equal in bytes."""
    for path in [folder / "model_index.json", *folder.glob("*/config.json")]:
        config = json.loads(path.read_bytes())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
