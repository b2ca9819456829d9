"""The text of A1111 in pictures, ``parameters``, read back into the fields of a request.

The text is the prompt, a line that begins with ``Negative prompt:``, and a last line of settings,
``Steps: 20, Sampler: Euler a, …``, whose values may be quoted as in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import ALIASES

MAX_TEXT_CHARACTERS = 2**16
_NEGATIVE = "Negative prompt:"
_SETTING = re.compile(r'(?:^|,)\s*(\w[\w /-]{0,63}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?=,|$)')
_LEAST_SETTINGS = 3  #: in the last line; fewer are words of the prompt
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
#: Setting → field of a request. The order is that in which the fields are told.
_FIELDS = {
    "Prompt": "prompt",
    "Negative prompt": "negative_prompt",
    "Steps": "steps",
    "Sampler": "sampler_name",
    "Schedule type": "scheduler",
    "CFG scale": "cfg_scale",
    "Seed": "seed",
    "Size-1": "width",
    "Size-2": "height",
    "Model": "sd_model_checkpoint",
    "Denoising strength": "denoising_strength",
    "Clip skip": "clip_skip",
    "CFG Rescale": "guidance_rescale",
    "Skip Early CFG": "guidance_start",
    "Guidance stop": "guidance_stop",
    "NGMS": "guidance_min_sigma",
    "Step cache": "step_cache",
    "Step cache interval": "step_cache_interval",
    "Refiner": "refiner",
    "Refiner switch at": "denoising_end",
    "Refiner strength": "refiner_strength",
}
_WHOLE = ("steps", "seed", "width", "height", "clip_skip", "step_cache_interval")
_DECIMAL = ("cfg_scale", "denoising_strength", "guidance_rescale", "denoising_end")
_NUMBERS = (
    *(*_WHOLE, *_DECIMAL, "refiner_strength"),
    *("guidance_start", "guidance_stop", "guidance_min_sigma"),
)
#: Settings that say what drew the picture, and ask for nothing.
_FACTS = ("Model hash", "VAE hash", "Version", "Hashes")
#: What a text may give, by A1111's names.
INFOTEXT_FIELDS = (*_FIELDS.values(), "vae")
_OUR_VAES = ("full", "tiny")


def read_settings(text: str) -> dict[str, str]:
    """The settings in a text, by A1111's names; ``Size`` becomes ``Size-1`` and ``Size-2``.

    Text without a line of settings is a prompt.
    """
    body, _, last = text.rstrip("\n").rpartition("\n")
    found = _SETTING.findall(last)
    if len(found) < _LEAST_SETTINGS:
        body, found = text, []
    prompt, negative = _split_prompts(body)
    settings = {"Prompt": prompt, "Negative prompt": negative}
    for name, value in found:
        size = _SIZE.fullmatch(value) if name == "Size" else None
        if size:
            settings |= {"Size-1": size[1], "Size-2": size[2]}
        else:
            settings[name] = _unquoted(value.strip())
    return settings


def _split_prompts(body: str) -> tuple[str, str]:
    lines = body.split("\n")
    at = next((at for at, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    negative = "\n".join(lines[at:]).removeprefix(_NEGATIVE)
    return "\n".join(lines[:at]), negative.removeprefix(" ")


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def with_infotext(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """``values`` with what their field ``infotext`` says, and a warning for what is ignored of it.

    Fields that are given count more than the text. Raises InvalidJob for a text that is too long,
    or whose numbers are none.
    """
    fields = dict(values)
    text = fields.pop("infotext", None)
    if text is None or text == "":
        return fields, []
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARACTERS:
        allowed = f"text of up to {MAX_TEXT_CHARACTERS} characters"
        raise InvalidJob("not an infotext", field="infotext", allowed=allowed)
    settings = read_settings(text)
    if settings.get("VAE") in _OUR_VAES:
        fields.setdefault("vae", settings.pop("VAE"))
    warnings = []
    if settings.get("NGMS") and settings.pop("NGMS all steps", None) != "True":
        warnings.append("NGMS of the infotext is taken for all steps, not for every second one")
    given = {ALIASES.get(name, name) for name, value in fields.items() if value is not None}
    if "size" in given:
        given |= {"width", "height"}
    if "scheduler" in given:  # a sampler and its schedule belong together
        settings.pop("Schedule type", None)
    for setting, name in _FIELDS.items():
        value = settings.pop(setting, "")
        if value and ALIASES.get(name, name) not in given:
            fields[name] = _number(name, value) if name in _NUMBERS else value
    ignored = [name for name in settings if name not in _FACTS]
    warnings += [f"{name} of the infotext is ignored: it is not supported" for name in ignored]
    return fields, warnings


def _number(name: str, value: str) -> int | float:
    try:
        return int(value) if name in _WHOLE else float(value)
    except ValueError:
        raise InvalidJob("not a number", field=f"infotext, {name}", value=value) from None
