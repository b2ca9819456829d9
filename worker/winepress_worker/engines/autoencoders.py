"""The autoencoders of one model: the full one, and a tiny one for jobs that choose it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from optimum.intel.openvino.modeling_diffusion import (
    OVModelVae,
    OVModelVaeDecoder,
    OVModelVaeEncoder,
)

from winepress_shared.errors import FailForGood
from winepress_worker.engines.devices import read_graph
from winepress_worker.engines.native_faults import loading
from winepress_worker.engines.previews import TINY_DECODER, TINY_ENCODER, part_name

_IR_FILE = "openvino_model.xml"


class Autoencoders:
    """Selects the VAE of a task pipeline."""

    def __init__(self, folder: Path, compiled: Callable[[str, Any], Any]) -> None:
        """``compiled`` compiles a part of the model in ``folder`` once and caches it."""
        self._folder = folder
        self._compiled = compiled
        self._own: dict[str, Any] = {}
        self._tiny: dict[str, Any] = {}

    def pick(self, pipe: Any, kind: str, is_tiny: bool) -> Any:
        """The autoencoder for jobs of ``kind``; raises EnvironmentFault or FailForGood.

        A model whose only autoencoder is tiny always uses that one.
        """
        own = self._own.setdefault(kind, pipe.vae)
        if not is_tiny or "decoder_block_out_channels" in own.config:
            return own
        if not (self._folder / TINY_DECODER / _IR_FILE).is_file():
            raise FailForGood(
                "this model was prepared without its tiny autoencoder",
                field="vae",
                value="tiny",
                hint="remove it and prepare it from folders that have both, or set vae to full",
            )
        if kind not in self._tiny:
            with loading():
                self._tiny[kind] = self._open(pipe)
        return self._tiny[kind]

    def close(self) -> None:
        """Free the memory."""
        self._own.clear()
        self._tiny.clear()

    def _open(self, pipe: Any) -> Any:
        def part(cls: Any, name: str) -> Any:
            network = cls(read_graph(self._folder / name / _IR_FILE), pipe, name)
            network.request = self._compiled(part_name(name), network.model)
            return network

        return OVModelVae(
            decoder=part(OVModelVaeDecoder, TINY_DECODER),
            encoder=part(OVModelVaeEncoder, TINY_ENCODER),
        )
