"""Assembles optimum's pipeline from a prepared model.

optimum's own ``from_pretrained`` imports the classes that ``model_index.json`` names, and a folder
may come from a store that many can write to. Here the index only selects a row of a fixed table.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimum.intel import (
    OVStableDiffusionImg2ImgPipeline,
    OVStableDiffusionInpaintPipeline,
    OVStableDiffusionPipeline,
    OVStableDiffusionXLImg2ImgPipeline,
    OVStableDiffusionXLInpaintPipeline,
    OVStableDiffusionXLPipeline,
)

from winepress_shared.jobs.job import ImageToImage, Inpaint, TextToImage
from winepress_worker.engines.scheduling import own_scheduler
from winepress_worker.engines.tokenizing import make_tokenizers
from winepress_worker.models.content import GRAPH_FILE, check_content, check_graph, read_settings
from winepress_worker.models.folder import INDEX_FILE, PIPELINE_SETTINGS, family_of

_KINDS = tuple(kind.model_fields["kind"].default for kind in (TextToImage, ImageToImage, Inpaint))
#: Family → its pipelines, in the order of the kinds.
_PIPELINES: dict[str, tuple[Any, ...]] = {
    "stable-diffusion": (
        OVStableDiffusionPipeline,
        OVStableDiffusionImg2ImgPipeline,
        OVStableDiffusionInpaintPipeline,
    ),
    "stable-diffusion-xl": (
        OVStableDiffusionXLPipeline,
        OVStableDiffusionXLImg2ImgPipeline,
        OVStableDiffusionXLInpaintPipeline,
    ),
}
PARTS = ("text_encoder", "text_encoder_2", "unet", "vae_decoder", "vae_encoder")


def draws(kind: str) -> bool:
    """True when there are pipelines for jobs of ``kind``."""
    return kind in _KINDS


def assemble(folder: Path, kind: str, models: Mapping[str, Any]) -> Any:
    """The pipeline of the model in ``folder`` for a ``kind`` that `draws`, not compiled.

    ``models`` are the networks already read, by part. Raises EnvironmentFault if the folder holds
    unexpected files or is not usable.
    """
    check_content(folder)
    index = read_settings(folder, INDEX_FILE)
    family, _ = family_of(index, folder)
    settings = {name: index[name] for name in PIPELINE_SETTINGS if type(index.get(name)) is bool}
    networks = {part: models.get(part) or _read(folder / part / GRAPH_FILE) for part in PARTS}
    pipeline = _PIPELINES[family][_KINDS.index(kind)]
    return pipeline(
        scheduler=own_scheduler(folder),
        **networks,
        **make_tokenizers(folder),
        **settings,
        model_save_dir=folder,
        compile=False,
    )


def _read(path: Path) -> Any:
    """Read a network; None if the model has no such part."""
    if not path.is_file():
        return None
    check_graph(path)
    return OVStableDiffusionPipeline.load_model(path)
