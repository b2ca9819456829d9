"""Requests to the API of A1111 and its forks. Their clients send every field, used or not.

A switch that is off is dropped. A switch that is on, for a feature that Winepress lacks, is refused
by name. Fields that have another name here are renamed in `winepress_shared.jobs.aliases`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from winepress_shared.errors import InvalidJob

#: Field → the values that switch it off.
_OFF: dict[str, tuple[object, ...]] = {
    "restore_faces": (False,),
    "tiling": (False,),
    "enable_hr": (False,),
    "styles": ([], "", "none"),
    "script_name": ("", "none"),
    "comments": ({},),
    "subseed_strength": (0,),
    "seed_resize_from_h": (0, -1),
    "seed_resize_from_w": (0, -1),
    "eta": (0, 1),  # 0 was the default of the API, 1 is that of the ancestral samplers
    "s_churn": (0,),
    "s_tmin": (0,),
    "s_noise": (0, 1),  # has an effect with s_churn alone
    "resize_mode": (0,),
    "image_cfg_scale": (0, 1.5),
    "initial_noise_multiplier": (1,),
}
#: The same for fields that need a mask.
_OFF_WITH_MASK: dict[str, tuple[object, ...]] = {
    "mask_blur": (0,),
    "mask_blur_x": (0,),
    "mask_blur_y": (0,),
    "inpainting_fill": (1,),
    "inpaint_full_res": (False,),
    "inpainting_mask_invert": (False,),
    "latent_mask": (),
}
#: About the response of that API, or without effect while another field is off.
_WITHOUT_MEANING = (
    *("do_not_save_samples", "do_not_save_grid", "send_images", "save_images"),
    *("override_settings_restore_afterwards", "disable_extra_networks", "include_init_images"),
    *("force_task_id", "prompt_for_display", "outpath_samples", "outpath_grids"),
    *("script_args", "subseed", "s_tmax", "inpaint_full_res_padding", "mask_round"),
    *("firstphase_width", "firstphase_height", "firstpass_image"),
)
_HR_PREFIX = "hr_"  #: of the options for the second pass of `enable_hr`
_OVERRIDES = (
    "sd_model_checkpoint",
    "CLIP_stop_at_last_layers",
    "skip_early_cond",
    "s_min_uncond",
)
#: Setting → the values that have no effect.
_OVERRIDES_OFF: dict[str, tuple[object, ...]] = {
    "sd_vae": ("", "none", "automatic"),
    "s_min_uncond_all": (True, False),  # see `warnings_of`
}
_MASKS = ("mask", "mask_image", "source_mask")
_SCRIPTS = "alwayson_scripts"
_ONLY_THERE = (
    *(*_OFF, *_OFF_WITH_MASK, *_WITHOUT_MEANING),
    *("override_settings", "init_images", _SCRIPTS),
)


def without_switches(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` without the switches; no value may be None.

    Raises InvalidJob for a switch that is on.
    """
    fields = dict(values)
    is_theirs = any(is_field_of_a1111(name) for name in fields)
    has_mask = any(name in fields for name in _MASKS)
    for name, off in _OFF.items():
        _drop_off(fields, name, off)
    _drop_scripts(fields)
    for name, off in _OFF_WITH_MASK.items():
        if has_mask:
            _drop_off(fields, name, off)
    for name in [*fields]:
        if name in (*_WITHOUT_MEANING, *_OFF_WITH_MASK) or name.startswith(_HR_PREFIX):
            del fields[name]
    _unpack_overrides(fields)
    if "sampler_name" in fields:
        fields.pop("sampler_index", None)  # an older name, which clients add for old servers
    if fields.get("init_images"):
        fields.setdefault("kind", "inpaint" if has_mask else "image-to-image")
    elif is_theirs and fields.get("kind", "text-to-image") == "text-to-image":
        fields.pop("denoising_strength", None)  # belongs to the second pass, which is off
    return fields


def warnings_of(values: Mapping[str, Any]) -> list[str]:
    """What ``values`` ask for and get in another way."""
    settings = values.get("override_settings")
    all_of_them = {**values, **(settings if isinstance(settings, Mapping) else {})}
    if not _plain(all_of_them.get("s_min_uncond")) or all_of_them.get("s_min_uncond_all"):
        return []
    return ["s_min_uncond is taken for all steps, not for every second one"]


def is_field_of_a1111(name: str) -> bool:
    """Whether this is a field of that API that jobs here have under no name."""
    return name in _ONLY_THERE or name.startswith(_HR_PREFIX)


def _drop_off(fields: dict[str, Any], name: str, off: tuple[object, ...]) -> None:
    value = fields.pop(name, None)
    if value is None or _plain(value) in off:
        return
    shown = ", ".join(json.dumps(each) for each in off if each != "none")
    raise InvalidJob(
        "this feature is not supported",
        field=name,
        value=None if value is True else value,  # "on" says no more than the sentence
        allowed=shown or "none",
        hint="Switch it off or leave it out",
    )


def _drop_scripts(fields: dict[str, Any]) -> None:
    """Clients name a script that is switched off: its first argument is false or missing."""
    scripts = fields.pop(_SCRIPTS, None)
    if not isinstance(scripts, Mapping):
        scripts = {"": scripts} if scripts else {}
    for name, script in scripts.items():
        arguments = script.get("args") if isinstance(script, Mapping) else script
        if not isinstance(script, Mapping) or "args" not in script or _is_on(arguments):
            raise InvalidJob(
                "scripts are not supported",
                field=_SCRIPTS,
                value=name or scripts[name],
                allowed="{}, or scripts whose first argument is false",
                hint="Switch it off or leave it out",
            )


def _is_on(arguments: object) -> bool:
    """Whether a script does anything: by custom its first argument is its switch."""
    return not isinstance(arguments, list | tuple) or any(arguments[:1])


def _plain(value: object) -> object:
    """The value of a text from a table or a flag."""
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if word in ("true", "false"):
        return word == "true"
    try:
        return float(word)
    except ValueError:
        return word


def _unpack_overrides(fields: dict[str, Any]) -> None:
    """Move the settings in ``override_settings`` to the job where it has such fields."""
    settings = fields.pop("override_settings", {})
    if not isinstance(settings, Mapping):
        raise InvalidJob("not an object", field="override_settings", value=settings)
    for name, value in settings.items():
        if value is None or _plain(value) in _OVERRIDES_OFF.get(name, ()):
            continue
        if name not in _OVERRIDES:
            raise InvalidJob(
                "this setting is not supported",
                field="override_settings",
                value=name,
                allowed=", ".join(_OVERRIDES),
            )
        if fields.setdefault(name, value) != value:
            raise InvalidJob(
                "given twice with different values: in override_settings and outside of it",
                field=name,
            )
