"""What exporting holds in memory: one network at a time, traced with small inputs."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from optimum.exporters.openvino.convert import export_models
from support.twins.tiny import build, shallow

from winepress_worker.conversion import export as export_module
from winepress_worker.conversion.export import IR_FILE, export
from winepress_worker.models.source import Source

pytestmark = pytest.mark.slow

MOST_PX = 32  #: side of what a network may be traced with
COPIES = 3  #: an autoencoder is read once, and copied for each of its two halves


class Watch:
    """Stands before the exporter, and counts the weights in memory whenever it is called."""

    def __init__(self) -> None:
        self._before = held_weights()  # of other tests; kept, so that no other takes their place
        self._others = sum(one.nbytes for one in self._before)
        self._export = export_models
        self.bytes: dict[str, int] = {}  #: in memory while a network is exported
        self.own: dict[str, int] = {}  #: of the network itself
        self.sides_px: dict[str, int] = {}  #: longest of the pictures or latents it is traced with

    def __call__(self, parts: dict[str, Any], **given: Any) -> Any:
        gc.collect()
        alive = sum(one.nbytes for one in held_weights()) - self._others
        for name, (network, settings) in parts.items():
            self.bytes[name] = alive
            self.own[name] = sum(one.nbytes for one in network.parameters())
            inputs = settings.generate_dummy_inputs(framework="pt", **given["input_shapes"])
            planes = [inputs[key] for key in ("sample", "latent_sample") if key in inputs]
            self.sides_px[name] = max((one.shape[-1] for one in planes), default=0)
        return self._export(parts, **given)


def held_weights() -> list[torch.nn.Parameter]:
    """Every weight in this process that takes memory."""
    # By type: `isinstance` warns of objects of torch's that are deprecated.
    found = [one for one in gc.get_objects() if type(one) is torch.nn.Parameter]
    return [one for one in found if not one.is_meta]


def test_one_network_is_in_memory_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is exported the others have no weights, and no large picture goes through it."""
    published = build(shallow("vega-rt"), tmp_path / "published")
    files = {str(path.relative_to(published)): path for path in published.rglob("*.*")}
    Source(files).assemble(tmp_path / "source")
    watch = Watch()
    monkeypatch.setattr(export_module, "export_models", watch)
    export(tmp_path / "source", tmp_path / "target")
    parts = {"text_encoder", "text_encoder_2", "unet", "vae_encoder", "vae_decoder"}
    assert {path.parent.name for path in tmp_path.glob(f"target/*/{IR_FILE}")} == parts
    for name in parts:
        copies = COPIES if name.startswith("vae") else 1
        assert watch.bytes[name] == copies * watch.own[name], name
        assert watch.sides_px[name] <= MOST_PX, name
    drawing = parts - {"text_encoder", "text_encoder_2"}
    assert all(watch.sides_px[name] > 0 for name in drawing)
