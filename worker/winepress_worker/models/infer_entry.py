"""Infers the catalogue entry of a model folder from the folder's own files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from winepress_shared.errors import EnvironmentFault, InvalidJob, WrongUsage
from winepress_shared.jobs.job import MAX_SIDE_PX, MIN_SIDE_PX
from winepress_shared.jobs.schedulers import canonical_scheduler
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.models.folder import INDEX_FILE, family_of, pipeline_files, read_json
from winepress_worker.models.weights import parameters

_MIB = 2**20
_VAE_SCALE = 8  #: pixels a latent stands for, on each side
_INPAINT_CHANNELS = 9
_FLEXIBLE_LEVELS = 4
_LCM_STEPS, _STEPS = 4, 30
_PICTURES = 30  #: for calibration
_GUIDANCE = {"stable-diffusion": 7.5, "stable-diffusion-xl": 5.0}  #: defaults of diffusers
_ROOM_BYTES = 2**30  #: for activations, at 512 by 512 pixels
_ROOM_PX = 512


def describe(name: str, folder: Path) -> Model:
    """The entry of the model in ``folder`` under the new name ``name``.

    Raises EnvironmentFault if the folder is not usable, WrongUsage if the name is not valid.
    """
    files = pipeline_files(folder)
    try:
        return Model(name=name, source=f"folder:{folder}", **_values(name, folder, files))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if field == "name":
            raise WrongUsage(
                "not a valid model name",
                value=name,
                allowed="lower case letters, digits and dashes",
            ) from None
        raise _impossible(folder, f"{field}: {first['msg']}") from None
    except (TypeError, ValueError, OverflowError) as error:  # NaN, infinity, or no number at all
        raise _impossible(folder, str(error)) from None


def _values(name: str, folder: Path, files: dict[str, Path]) -> dict[str, Any]:
    family, cls = family_of(read_json(folder / INDEX_FILE), folder)
    unet = read_json(files["unet/config.json"])
    side = _VAE_SCALE * int(unet.get("sample_size") or 64)
    scheduler = _scheduler(read_json(files["scheduler/scheduler_config.json"]))
    is_told_guidance = unet.get("time_cond_proj_dim") is not None
    is_quick = is_told_guidance or scheduler in ("lcm", "tcd")
    return {
        "title": f"{name}, from a folder",
        "family": family,
        "kinds": _kinds(cls, unet),
        "precisions": list(Precision),
        "int8": {"method": "hybrid", "pictures": _PICTURES},
        "width": side,
        "height": side,
        "size_multiple": _multiple(unet),
        "max_side": min(max(2 * side, MIN_SIDE_PX), MAX_SIDE_PX),
        "num_inference_steps": _LCM_STEPS if is_quick else _STEPS,
        "guidance_scale": 1.0 if is_quick else _GUIDANCE[family],
        "embedded_guidance": is_told_guidance,
        "scheduler": scheduler,
        "licence": "unknown: see where the folder came from",
        "memory_mib": _memory_mib(files, side),
    }


def _impossible(folder: Path, problem: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the model's files contain an invalid value: {problem}", value=str(folder)
    )


def entry_text(model: Model) -> str:
    """``model`` in the format of a farm's catalogue file."""
    given = model.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
    for key in [name for name, value in given.items() if isinstance(value, dict)]:
        given |= {f"{key}.{name}": value for name, value in given.pop(key).items()}
    # A JSON string, number, boolean or list of strings is written the same in TOML.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]
    return "\n".join([f"[{model.name}]", *lines]) + "\n"


def _kinds(cls: str, unet: dict[str, Any]) -> list[str]:
    if unet.get("in_channels") == _INPAINT_CHANNELS:
        return ["inpaint"]
    if cls.endswith("Img2ImgPipeline"):
        return ["image-to-image"]
    return ["text-to-image", "image-to-image", "inpaint"]


def _multiple(unet: dict[str, Any]) -> int:
    """The number that sides must divide by: every level of the UNet but the last halves them."""
    is_flexible = "configurations" in unet
    levels = _FLEXIBLE_LEVELS if is_flexible else len(unet.get("block_out_channels") or [0] * 4)
    return int(_VAE_SCALE * 2 ** (levels - 1))


def _scheduler(config: dict[str, Any]) -> str:
    try:
        name = canonical_scheduler(config.get("_class_name"))
        return canonical_scheduler(f"{name}:karras") if config.get("use_karras_sigmas") else name
    except InvalidJob as error:
        raise EnvironmentFault(f"the scheduler is not supported: {error}") from None


def _memory_mib(files: dict[str, Path], side_px: int) -> int:
    """Four bytes a parameter, plus memory for activations."""
    count = sum(parameters(path) for path in files.values() if path.suffix == ".safetensors")
    room = _ROOM_BYTES * (side_px / _ROOM_PX) ** 2
    return math.ceil((4 * count + room) / _MIB)
