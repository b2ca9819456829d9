"""Exports weights in diffusers' format to OpenVINO IR, one file per part.

The exporter is given pipelines built in this process, not a path: so a network of our own class is
exported like all others, and only one network's weights are in memory at a time.
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
#: Side of the latents or pictures that networks are traced with; the traced network takes any size.
#: SDXL's own size would take 5 GiB for the autoencoder. Must be divisible by 8.
_TRACED_PX = 24
_TRACED_LATENT_PX = 8  #: side of a tiny autoencoder's latents


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise OSError for a failed write, which OpenVINO reports only as "iostream error"."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and "iostream" not in str(error):
            raise
        raise OSError("a file could not be written completely; is the disk full?") from error


def export(source: Path, target: Path) -> None:
    """Write the IR of the diffusers folder ``source``, with 16-bit weights, one part at a time.

    Raises what diffusers and optimum raise if the parts of the folder do not fit together.
    """
    for part in sorted(networks(source)):
        _export_part(pipeline_with(part, source), target)
        gc.collect()  # frees networks that refer to themselves
    _save_rest(pipeline_with(None, source), target)
    _forget_paths(target)


def export_tiny_vae(source: Path, target: Path, prefix: str = "") -> None:
    """Replace the autoencoder in the exported folder ``target`` by the AutoencoderTiny ``source``.

    With a ``prefix`` for the names of its two parts, it is added beside the autoencoder instead.

    optimum cannot export this class, but its pipelines run one whose ports have the names they
    expect: ``sample`` → ``latent_sample`` and ``latent_sample`` → ``sample``.
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
    """Write IR and configuration of every network of ``pipeline`` that has weights."""
    with warnings.catch_warnings():
        # Tracing warns about every shape check it freezes, optimum on Python 3.13 about its own
        # code; the trial picture checks the result.
        warnings.simplefilter("ignore")
        _, found = get_diffusion_models_for_export_ext(pipeline)
        held = {
            name: pair for name, pair in found.items() if not next(pair[0].parameters()).is_meta
        }
        for name, (network, _) in held.items():  # first, because tracing changes them
            save_config = getattr(network, "save_config", None) or network.config.save_pretrained
            save_config(target / name)
            network.config.sample_size = _TRACED_PX  # only optimum reads this
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
    """Write the files without weights: tokenizers, scheduler and index."""
    for name, component in pipeline.components.items():
        if component is not None and not isinstance(component, torch.nn.Module):
            component.save_pretrained(target / name)
    pipeline.save_config(target)


def _forget_paths(folder: Path) -> None:
    """Remove the work folder's name from configurations, so that equal exports are equal."""
    for path in [folder / "model_index.json", *folder.glob("*/config.json")]:
        config = json.loads(path.read_bytes())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
