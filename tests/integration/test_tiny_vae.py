"""A tiny autoencoder, converted by hand, computes what torch does and has the ports looked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from diffusers import AutoencoderTiny
from support.twins.tiny import build_tiny_vae

from winepress_worker.conversion.export import export_tiny_vae


@pytest.mark.parametrize(
    ("part", "ports", "shape"),
    [
        ("vae_encoder", ("sample", "latent_sample"), (1, 3, 64, 128)),
        ("vae_decoder", ("latent_sample", "sample"), (2, 4, 24, 16)),
    ],
)
def test_converted_half_is_torchs_own_at_any_size(
    tmp_path: Path, part: str, ports: tuple[str, str], shape: tuple[int, ...]
) -> None:
    """Another size and another number of pictures than it was traced with."""
    source = build_tiny_vae(tmp_path / "taesd")
    target = tmp_path / "model"
    target.mkdir()
    (target / "model_index.json").write_text("{}")
    export_tiny_vae(source, target)
    network = AutoencoderTiny.from_pretrained(source, torch_dtype=torch.float32).eval()
    torch.manual_seed(0)
    given = torch.randn(shape)
    with torch.no_grad():
        wanted = (
            network.encode(given).latents if part == "vae_encoder" else network.decode(given).sample
        )
    model = openvino.Core().read_model(target / part / "openvino_model.xml")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    drawn = openvino.compile_model(model, "CPU", exact)({ports[0]: given.numpy()})[ports[1]]
    np.testing.assert_allclose(drawn, wanted.numpy(), atol=2e-3)
    assert (target / part / "config.json").is_file()
