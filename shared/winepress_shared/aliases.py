"""The names other programs use for our fields, turned into ours.

Sources: the request schemas of A1111, AI Horde, OpenVINO Model Server, stable-diffusion.cpp,
fastsdcpu and the OpenAI Images API.
"""

from __future__ import annotations

from typing import Any

from winepress_shared.errors import InvalidJob

#: Foreign name → our name, where the value means the same.
ALIASES: dict[str, str] = {
    "negativeprompt": "negative_prompt",
    "n_prompt": "negative_prompt",
    "image_width": "width",
    "image_height": "height",
    "steps": "num_inference_steps",
    "inference_steps": "num_inference_steps",
    "sample_steps": "num_inference_steps",
    "cfg_scale": "guidance_scale",
    "cfg": "guidance_scale",
    "txt_cfg": "guidance_scale",
    "rng_seed": "seed",
    "num_images": "n",
    "num_images_per_prompt": "n",
    "number_of_images": "n",
    "denoising_strength": "strength",
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
}
_SAMPLERS = ("sampler_name", "sampler_index", "sample_method")


def canonical_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Rename every foreign field; raises InvalidJob when one value is given under two names."""
    fields = dict(values)
    _split_size(fields)
    _multiply_batches(fields)
    _join_sampler_and_schedule(fields)
    images = fields.pop("init_images", None)
    if isinstance(images, list | tuple) and images:
        _put(fields, "image", images[0], "init_images")
    for foreign in [name for name in fields if name in ALIASES]:
        _put(fields, ALIASES[foreign], fields.pop(foreign), foreign)
    return fields


def _put(fields: dict[str, Any], name: str, value: Any, foreign: str) -> None:
    if name in fields and fields[name] != value:
        raise InvalidJob(
            f"given twice with different values: as {name} and as {foreign}", field=name
        )
    fields[name] = value


def _split_size(fields: dict[str, Any]) -> None:
    """``size: "512x768"``; ``auto`` leaves the size to the model (OpenAI)."""
    if "size" not in fields:
        return
    size = fields.pop("size")
    if size in ("auto", None):
        return
    width, _, height = str(size).lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise InvalidJob("not a size", field="size", value=size, allowed="WIDTHxHEIGHT or auto")
    _put(fields, "width", int(width), "size")
    _put(fields, "height", int(height), "size")


def _multiply_batches(fields: dict[str, Any]) -> None:
    """A1111 asks for ``batch_size`` × ``n_iter`` pictures."""
    counts = [fields.pop(name) for name in ("batch_size", "n_iter") if name in fields]
    if not counts:
        return
    if not all(isinstance(count, int) and count >= 1 for count in counts):
        raise InvalidJob("must be whole numbers of at least 1", field="batch_size, n_iter")
    _put(fields, "n", counts[0] * (counts[1] if len(counts) > 1 else 1), "batch_size")


def _join_sampler_and_schedule(fields: dict[str, Any]) -> None:
    """Since A1111 1.9 ``scheduler`` beside ``sampler_name`` is the noise schedule."""
    sampler = next((name for name in _SAMPLERS if name in fields), None)
    if sampler and isinstance(fields.get("scheduler"), str):
        schedule = fields.pop("scheduler")
        fields[sampler] = f"{fields[sampler]} {schedule}"
