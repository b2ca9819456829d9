"""A model folder in diffusers' format: which files are used, and what they say about the model.

Nothing in such a folder is trusted: only JSON, word lists and safetensors are read, and classes
come from a table below, so that no code from outside can run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from winepress_shared.errors import EnvironmentFault
from winepress_worker.models.weights import header

INDEX_FILE = "model_index.json"
#: ``_class_name`` of a pipeline → its family and the class that runs it.
PIPELINES: dict[str, tuple[str, str]] = {
    "StableDiffusionPipeline": ("stable-diffusion", "StableDiffusionPipeline"),
    "StableDiffusionImg2ImgPipeline": ("stable-diffusion", "StableDiffusionPipeline"),
    "StableDiffusionInpaintPipeline": ("stable-diffusion", "StableDiffusionInpaintPipeline"),
    "LatentConsistencyModelPipeline": ("stable-diffusion", "StableDiffusionPipeline"),
    "DeciDiffusionPipeline": ("stable-diffusion", "StableDiffusionPipeline"),
    "StableDiffusionXLPipeline": ("stable-diffusion-xl", "StableDiffusionXLPipeline"),
    "StableDiffusionXLImg2ImgPipeline": ("stable-diffusion-xl", "StableDiffusionXLImg2ImgPipeline"),
    "StableDiffusionXLInpaintPipeline": ("stable-diffusion-xl", "StableDiffusionXLInpaintPipeline"),
}
#: Part of a pipeline → its library and class.
_CLASSES = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "tokenizer_2": ("transformers", "CLIPTokenizer"),
    "scheduler": ("diffusers", ""),
}
_WEIGHTLESS = ("tokenizer", "tokenizer_2", "scheduler")
_FLEXIBLE = "flexible_unet"  #: beside a placeholder in ``unet``, this folder holds the network
PIPELINE_SETTINGS = ("requires_aesthetics_score", "force_zeros_for_empty_prompt")
_SCHEDULER = re.compile(r"[A-Z][A-Za-z0-9]{1,60}Scheduler\Z")
_PLAIN = re.compile(r"[\w-][\w.-]{0,120}\Z")  #: a file name without folders
#: What comes after the folder in the name of a weight file, or of a piece of one.
_WEIGHTS = re.compile(
    r"(?:\A|/)(?:diffusion_pytorch_model|model|pytorch_lora_weights)(?P<variant>(?:\.\w+)?)"
    r"(?:-\d{5}-of-\d{5})?\.safetensors\Z"
)
_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_STEMS = ("diffusion_pytorch_model", "model")
_VARIANTS = (".fp16", "")  #: the smaller files first
_MAX_CONFIG_BYTES = 16 * 2**20  #: of any one JSON file but tokenizers


def read_json(path: Path, most: int = _MAX_CONFIG_BYTES) -> dict[str, Any]:
    """Read a JSON object of up to ``most`` bytes; raises EnvironmentFault for anything else."""
    try:
        with path.open("rb") as file:
            text = file.read(most + 1)
        values = json.loads(text) if len(text) <= most else None
    except OSError as error:
        raise EnvironmentFault(
            f"cannot read {path.name}: {error.strerror}", value=str(path)
        ) from None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise EnvironmentFault(f"{path.name} is not a JSON object", value=str(path))
    return values


def pipeline_files(folder: Path) -> dict[str, Path]:
    """The files of the pipeline in ``folder``, by their place in the assembled folder.

    Raises EnvironmentFault, naming what is missing, unsupported or damaged.
    """
    index = read_json(folder / INDEX_FILE)
    family_of(index, folder)
    files = {INDEX_FILE: folder / INDEX_FILE}
    for part in _CLASSES:
        entry = index.get(part)
        if isinstance(entry, list) and entry and entry[0]:
            place = _FLEXIBLE if part == "unet" and (folder / _FLEXIBLE).is_dir() else part
            files |= part_files(folder / place, part)
    missing = [part for part in ("unet", "vae", "scheduler") if f"{part}/" not in _tops(files)]
    if missing:
        raise EnvironmentFault(f"the model lacks {', '.join(missing)}", value=str(folder))
    return files


def wanted_names(names: Iterable[str]) -> list[str]:
    """Select, from a repository's file names, those to fetch.

    These are the parts' files if there is an index, else the files at the top level.
    """
    every = set(names)
    is_pipeline = INDEX_FILE in every
    folders = (*_CLASSES, _FLEXIBLE) if is_pipeline else ("",)
    wanted = {INDEX_FILE} if is_pipeline else set()
    for folder in folders:
        if folder == "unet" and any(name.startswith(f"{_FLEXIBLE}/") for name in every):
            continue
        prefix = f"{folder}/" if folder else ""
        inside = {n for n in every if n.startswith(prefix) and _PLAIN.match(n[len(prefix) :])}
        wanted |= {n for n in inside if n.endswith((".json", ".txt")) and ".index" not in n}
        wanted |= _smallest_weights({n for n in inside if n not in wanted})
    return sorted(wanted)


def _smallest_weights(names: set[str]) -> set[str]:
    """The variant of one part's weights that `weight_files` would choose."""
    for variant in _VARIANTS:
        matches = {name: _WEIGHTS.search(name) for name in names}
        chosen = {n for n, match in matches.items() if match and match["variant"] == variant}
        if chosen:
            return chosen | {n for n in names if n.endswith(f".safetensors.index{variant}.json")}
    return set()


def part_files(folder: Path, part: str) -> dict[str, Path]:
    """Configuration and weights of one part, in 16 bits if available."""
    if not folder.is_dir():
        raise EnvironmentFault(f"the model lacks {part}", value=str(folder))
    files = {
        f"{part}/{path.name}": path
        for path in sorted(folder.iterdir())
        if path.suffix in (".json", ".txt") and ".safetensors.index" not in path.name
    }
    return files if part in _WEIGHTLESS else files | weight_files(folder, part)


def weight_files(folder: Path, part: str) -> dict[str, Path]:
    """The safetensors files in ``folder``, one or several, each checked to be complete."""
    for stem in _STEMS:
        for variant in _VARIANTS:
            whole = folder / f"{stem}{variant}.safetensors"
            table = folder / f"{stem}.safetensors.index{variant}.json"
            if whole.is_file():
                header(whole)
                return {f"{part}/{stem}.safetensors": whole}
            if table.is_file():
                pieces = _pieces(table)
                found = {f"{part}/{Path(name).name}": folder / Path(name).name for name in pieces}
                for path in found.values():
                    header(path)
                return found | {f"{part}/{stem}.safetensors.index.json": table}
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    raise EnvironmentFault(
        f"{part} has no weights in safetensors format",
        value=pickles[0] if pickles else str(folder),
        hint="pickle files can run code and are never read; convert them on a machine of their own"
        if pickles
        else None,
    )


def family_of(index: dict[str, Any], folder: Path) -> tuple[str, str]:
    """Family and class of a pipeline; raises EnvironmentFault if it is not supported."""
    name = index.get("_class_name")
    if not isinstance(name, str) or name not in PIPELINES:
        raise EnvironmentFault(
            "the model's family is not supported",
            value=name,
            allowed=", ".join(PIPELINES),
            hint=f"look at {folder / INDEX_FILE}",
        )
    return PIPELINES[name]


def plain_index(folder: Path) -> dict[str, Any]:
    """The content of an assembled folder's ``model_index.json``, with known classes only."""
    given = read_json(folder / INDEX_FILE)
    index: dict[str, Any] = {"_class_name": family_of(given, folder)[1]}
    index["_diffusers_version"] = version("diffusers")  # some pipelines ask for it
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json").get("_class_name", "")
    if not _SCHEDULER.match(str(scheduler)):
        raise EnvironmentFault("not a scheduler name", value=scheduler)
    for part, (library, name) in _CLASSES.items():
        has_part = (folder / part).is_dir()
        if has_part:
            index[part] = [library, name or scheduler]
        elif part in given:
            index[part] = [None, None]
    if index["_class_name"].startswith("StableDiffusionXL"):
        return index | {
            name: given[name] for name in PIPELINE_SETTINGS if isinstance(given.get(name), bool)
        }
    nothing = [None, None]
    return index | {
        "safety_checker": nothing,
        "feature_extractor": nothing,
        "requires_safety_checker": False,
    }


def _pieces(table: Path) -> set[str]:
    names = read_json(table).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise EnvironmentFault(f"{table.name} names no pieces", value=str(table))
    return set(names.values())


def _tops(files: dict[str, Path]) -> set[str]:
    return {f"{name.partition('/')[0]}/" for name in files if "/" in name}
