"""Translates other programs' field names into ours.

Sources: the request schemas of A1111, AI Horde, OpenVINO Model Server, stable-diffusion.cpp,
fastsdcpu, Replicate's models and the OpenAI Images API.
"""

from __future__ import annotations

import math
import re
from typing import Any

from winepress_shared.errors import InvalidJob

#: Foreign name → our name, if the value has the same meaning.
ALIASES: dict[str, str] = {
    "negative": "negative_prompt",  # our own flag
    "negativeprompt": "negative_prompt",
    "n_prompt": "negative_prompt",
    "image_width": "width",
    "image_height": "height",
    "steps": "num_inference_steps",
    "inference_steps": "num_inference_steps",
    "sample_steps": "num_inference_steps",
    "num_steps": "num_inference_steps",
    "guidance": "guidance_scale",  # our own flag
    "cfg_scale": "guidance_scale",
    "cfg": "guidance_scale",
    "txt_cfg": "guidance_scale",
    "rng_seed": "seed",
    "num_images": "n",
    "num_images_per_prompt": "n",
    "number_of_images": "n",
    "num_outputs": "n",
    "denoising_strength": "strength",
    "denoise": "strength",  # ComfyUI
    "prompt_strength": "strength",
    "cfg_rescale": "guidance_rescale",
    "rescale_cfg": "guidance_rescale",
    "skip_early_cond": "guidance_start",  # A1111, among its override_settings
    "s_min_uncond": "guidance_min_sigma",
    "CLIP_stop_at_last_layers": "clip_skip",  # A1111, among its override_settings
    "refiner_checkpoint": "refiner",
    "refiner_switch_at": "denoising_end",
    "show_progress_every_n_steps": "preview_every",
    "sampler": "scheduler",  # A1111 writes it into pictures like this
    "sampler_name": "scheduler",
    "sampler_index": "scheduler",
    "sample_method": "scheduler",
    "sd_model_checkpoint": "model",
    "lcm_model_id": "model",
    "init_image": "image",
    "source_image": "image",
    "input_reference": "image",
    "mask_image": "mask",
    "source_mask": "mask",
    "img2img_background_color": "background",  # A1111, among its override_settings
}
#: A1111's field → its values that mean "not used".
_SWITCHED_OFF: dict[str, tuple[object, ...]] = {
    "refiner_checkpoint": (None, "", "None"),
    "refiner_switch_at": (None, 0, 1),
    "show_progress_every_n_steps": (None, -1, 0),
    "s_min_uncond": (None, 0),
    "skip_early_cond": (None, 0),
}
#: Largest value of one batch field; `Job` bounds their product.
_MAX_BATCH = 10_000
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_SAMPLERS = ("sampler", "sampler_name", "sampler_index", "sample_method")


def canonical_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Rename every foreign field; raises InvalidJob for two different values of one field."""
    fields = dict(values)
    _split_size(fields)
    _multiply_batches(fields)
    _join_sampler_and_schedule(fields)
    _take_only_image(fields)
    _count_layers_from_one(fields)
    _drop_switched_off(fields)
    renamed: dict[str, str] = {}
    for foreign in [name for name in fields if name in ALIASES]:
        name = ALIASES[foreign]
        _put(fields, name, fields.pop(foreign), foreign, renamed.get(name))
        renamed[name] = foreign
    return fields


def _put(
    fields: dict[str, Any], name: str, value: Any, foreign: str, earlier: str | None = None
) -> None:
    """Set field ``name`` to what ``foreign`` gives, unless another name gave something else."""
    if name in fields and fields[name] != value:
        first = earlier or name
        raise InvalidJob(f"two different values: as {first} and as {foreign}", field=name)
    fields[name] = value


def _split_size(fields: dict[str, Any]) -> None:
    """``size: "512x768"``; ``auto`` leaves the size to the model (OpenAI)."""
    if "size" not in fields:
        return
    size = fields.pop("size")
    if size in ("auto", None):
        return
    sides = _SIZE.fullmatch(str(size).lower())
    if sides is None:
        raise InvalidJob(
            "not a valid size", field="size", value=size, allowed="WIDTHxHEIGHT or auto"
        )
    _put(fields, "width", int(sides[1]), "size")
    _put(fields, "height", int(sides[2]), "size")


def _take_only_image(fields: dict[str, Any]) -> None:
    """A1111 sends a list of source images; null and an empty list mean none."""
    images = fields.pop("init_images", None)
    if not images:
        return
    if not isinstance(images, list | tuple) or len(images) > 1:
        raise InvalidJob("must be a list of one picture", field="init_images")
    _put(fields, "image", images[0], "init_images")


def _count_layers_from_one(fields: dict[str, Any]) -> None:
    """ComfyUI counts text layers from the end: its -1 is our 1."""
    layer = fields.pop("stop_at_clip_layer", None)
    if layer is None:
        return
    if not isinstance(layer, int) or layer >= 0:
        raise InvalidJob(
            "must be a negative number of a layer",
            field="stop_at_clip_layer",
            value=layer,
            allowed="-1 and below",
        )
    _put(fields, "clip_skip", -layer, "stop_at_clip_layer")


def _drop_switched_off(fields: dict[str, Any]) -> None:
    """A1111 has its own words for an unused field."""
    for name, words in _SWITCHED_OFF.items():
        if name in fields and fields[name] in words:
            del fields[name]


def _multiply_batches(fields: dict[str, Any]) -> None:
    """A1111 draws ``batch_size`` × ``n_iter`` pictures."""
    counts = {name: fields.pop(name) for name in ("batch_size", "n_iter") if name in fields}
    if not counts:
        return
    names = ", ".join(counts)
    if not all(isinstance(count, int) and 1 <= count <= _MAX_BATCH for count in counts.values()):
        raise InvalidJob("must be whole numbers", field=names, allowed=f"1 to {_MAX_BATCH}")
    _put(fields, "n", math.prod(counts.values()), names)


def _join_sampler_and_schedule(fields: dict[str, Any]) -> None:
    """Since A1111 1.9 ``scheduler`` beside ``sampler_name`` is the noise schedule."""
    sampler = next((name for name in _SAMPLERS if name in fields), None)
    if sampler and isinstance(fields.get("scheduler"), str):
        schedule = fields.pop("scheduler")
        fields[sampler] = f"{fields[sampler]} {schedule}"
