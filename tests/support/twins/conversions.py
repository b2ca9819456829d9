"""Converts each network once: twins share most of theirs, and a conversion takes seconds."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from optimum.exporters.openvino.convert import export_models

from winepress_worker.conversion import export
from winepress_worker.models.content import GRAPH_FILE, WEIGHTS_FILE


class Conversions:
    """Keeps what the product converts in a folder, by configuration, weights and inputs.

    What is kept are the product's own files, so a twin that takes them is the one it would make.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._export_models = export_models
        self._convert = export._convert

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Meanwhile, preparing takes the files of a network that was converted before."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "export_models", self._export_once)
            patch.setattr(export, "_convert", self._convert_once)
            yield

    def _export_once(
        self, parts: dict[str, Any], *, output_dir: Path, output_names: list[str], **given: Any
    ) -> None:
        for (part, (network, settings)), name in zip(parts.items(), output_names, strict=True):
            inputs = settings.generate_dummy_inputs(framework="pt", **given["input_shapes"])
            places: dict[str, Any] = {"output_dir": output_dir, "output_names": [name]}
            make = partial(self._export_models, {part: parts[part]}, **places, **given)
            self._once(f"{part}{_digest(network, inputs)}", (output_dir / name).parent, make)

    def _convert_once(
        self, network: Any, example: torch.Tensor, ports: tuple[str, str], folder: Path
    ) -> None:
        make = partial(self._convert, network, example, ports, folder)
        self._once(f"{ports[0]}{_digest(network, {ports[0]: example})}", folder, make)

    def _once(self, key: str, target: Path, make: Callable[[], object]) -> None:
        """Have the files of ``key`` in ``target``: copied, or else made there and kept."""
        kept = self._folder / key
        if kept.is_dir():
            shutil.copytree(kept, target, dirs_exist_ok=True)
            return
        make()
        kept.mkdir(parents=True)
        for name in (GRAPH_FILE, WEIGHTS_FILE):
            shutil.copyfile(target / name, kept / name)


def _digest(network: Any, inputs: dict[str, Any]) -> str:
    """Of all that a trace depends on."""
    whole = getattr(network, "network", network)  # a half of an autoencoder holds the whole
    config = {key: value for key, value in _values(whole).items() if key[0] != "_"}
    shapes = {name: list(getattr(value, "shape", ())) for name, value in inputs.items()}
    found = hashlib.sha256(f"{type(network)}{sorted(config.items())}{shapes}".encode())
    for name, weights in network.state_dict().items():
        found.update(f"{name}{weights.dtype}".encode())
        found.update(weights.contiguous().numpy())
    return found.hexdigest()


def _values(network: Any) -> dict[str, Any]:
    config = network.config
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)
