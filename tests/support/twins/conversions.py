"""Converts each network once: twins share most of theirs, and a conversion takes seconds."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from winepress_worker.conversion import export
from winepress_worker.conversion.export import IR_FILE


class Conversions:
    """Keeps what the product converts in a folder, by configuration, weights and inputs.

    What is kept are the product's own files, so a twin that takes them is the one it would make.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._export_models = export.export_models
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
            shapes = given["input_shapes"]
            inputs = settings.generate_dummy_inputs(framework="pt", **shapes)
            own: dict[str, Any] = {"output_dir": output_dir, "output_names": [name]} | given
            self._once(
                f"{part}{_digest(network, inputs)}",
                (output_dir / name).parent,
                lambda part=part, own=own: self._export_models({part: parts[part]}, **own),
            )

    def _convert_once(
        self, network: Any, example: torch.Tensor, ports: tuple[str, str], folder: Path
    ) -> None:
        self._once(
            f"{ports[0]}{_digest(network, {ports[0]: example})}",
            folder,
            lambda: self._convert(network, example, ports, folder),
        )

    def _once(self, key: str, target: Path, make: Callable[[], object]) -> None:
        """Have the files of ``key`` in ``target``: copied, or else made there and kept."""
        kept, names = self._folder / key, [IR_FILE, Path(IR_FILE).with_suffix(".bin").name]
        if not kept.is_dir():
            make()
            kept.mkdir(parents=True)
            source, aim = target, kept
        else:
            target.mkdir(exist_ok=True)
            source, aim = kept, target
        for name in names:
            shutil.copyfile(source / name, aim / name)


def _digest(network: Any, inputs: dict[str, Any]) -> str:
    """Of all that a trace depends on."""
    whole = getattr(network, "network", network)  # a half of an autoencoder holds the whole
    config = {key: value for key, value in dict(_values(whole)).items() if key[0] != "_"}
    shapes = {name: list(getattr(value, "shape", ())) for name, value in inputs.items()}
    found = hashlib.sha256(f"{type(network)}{sorted(config.items())}{shapes}".encode())
    for name, weights in network.state_dict().items():
        found.update(f"{name}{weights.dtype}".encode())
        found.update(weights.contiguous().numpy())
    return found.hexdigest()


def _values(network: Any) -> dict[str, Any]:
    config = network.config
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)
