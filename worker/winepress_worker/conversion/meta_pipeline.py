"""Pipelines with the weights of one network and only the shapes of the others.

An exporter needs a whole pipeline, because one network's trace inputs depend on the configuration
of the others; but only one has to be in memory. The others are on torch's ``meta`` device
(https://docs.pytorch.org/docs/stable/meta.html).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from winepress_worker.conversion.flexible_unet import UNet2DConditionModel as FlexibleUNet
from winepress_worker.models.folder import INDEX_FILE
from winepress_worker.models.weights import is_half

_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}


def networks(source: Path) -> dict[str, Any]:
    """Class of every network of the diffusers folder ``source``, by part."""
    index = json.loads((source / INDEX_FILE).read_bytes())
    named = {part: value for part, value in index.items() if isinstance(value, list) and value[0]}
    classes = {part: getattr(_LIBRARIES[library], name) for part, (library, name) in named.items()}
    found = {part: cls for part, cls in classes.items() if issubclass(cls, torch.nn.Module)}
    if "configurations" in json.loads((source / "unet" / "config.json").read_bytes()):
        found["unet"] = FlexibleUNet
    return found


def pipeline_with(part: str | None, source: Path) -> Any:
    """The pipeline of ``source`` with the weights of ``part`` only, or without weights.

    They are in 16 bits if the UNet's are, which halves the memory. Raises what diffusers and
    transformers raise for configurations and weights that do not fit together.
    """
    given: dict[str, Any] = {
        "torch_dtype": torch.float16 if is_half(source / "unet") else torch.float32,
        "use_safetensors": True,
        "local_files_only": True,
    }
    classes = networks(source)
    parts = {
        name: _meta_pipeline(cls, source / name) for name, cls in classes.items() if name != part
    }
    if part and classes[part] is FlexibleUNet:
        parts[part] = FlexibleUNet.from_pretrained(source / part, **given)
    index = json.loads((source / INDEX_FILE).read_bytes())
    return getattr(diffusers, index["_class_name"]).from_pretrained(source, **given, **parts)


def _meta_pipeline(cls: Any, folder: Path) -> Any:
    with torch.device("meta"):
        if issubclass(cls, transformers.PreTrainedModel):
            return cls(cls.config_class.from_pretrained(folder, local_files_only=True))
        return cls.from_config(cls.load_config(folder, local_files_only=True))
