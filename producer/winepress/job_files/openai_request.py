"""Fields of the OpenAI Images API that mean something else on a farm, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.quality import Quality

_WORDS = "the model and the number of steps decide the quality"
_TURNS = "the flag --user names the user of a job"
_BETWEEN = "preview_every asks for previews"
#: Field → the values that OpenAI documents (empty: any text), and why they have no effect.
_IDLE: dict[str, tuple[tuple[object, ...], str]] = {
    "complexity": ((), _WORDS),
    "style": (("vivid", "natural"), "the prompt alone decides the style"),
    "moderation": (("auto", "low"), "pictures are not moderated"),
    "response_format": (("url", "b64_json"), "pictures are files in the store"),
    "input_fidelity": (("low", "high"), "strength decides how close a picture stays to its source"),
    "stream": ((True, False), _BETWEEN),
    "partial_images": ((0, 1, 2, 3), _BETWEEN),
    "user": ((), _TURNS),
    "safety_identifier": ((), _TURNS),
}
#: Their words for our presets; None: the farm's own.
_QUALITIES: dict[str, Quality | None] = {
    **dict.fromkeys(("auto", "standard")),
    "low": Quality.DRAFT,
    "medium": Quality.FAST,
    **dict.fromkeys(("high", "hd", "xhigh", "max"), Quality.EXACT),
}
_PICTURES = ("image", "mask")
#: Our own field `background` is a colour.
_BACKGROUNDS = ("auto", "transparent", "opaque")


def without_idle(values: Mapping[str, Any], *, has_user: bool) -> tuple[dict[str, Any], list[str]]:
    """``values`` in our words, and a warning for each field without effect; no value may be None.

    ``has_user`` keeps the field ``user``. Raises InvalidJob for a value that the OpenAI API does
    not document.
    """
    fields, warnings = dict(values), []
    for name, (known, reason) in _IDLE.items():
        if name not in fields or (name == "user" and has_user):
            continue
        value = fields.pop(name)
        if value not in known if known else not isinstance(value, str):
            allowed = ", ".join(map(str, known)) or "text"
            raise InvalidJob("not a value of this field", field=name, value=value, allowed=allowed)
        warnings.append(f"{name} is ignored: {reason}")
    if fields.get("background") in _BACKGROUNDS:
        del fields["background"]
        warnings.append("background is ignored: every picture is opaque")
    if "output_compression" in fields:
        fields["output_quality"] = fields.pop("output_compression")
    word = fields.get("quality")
    if isinstance(word, str) and word in _QUALITIES:
        fields["quality"] = _QUALITIES[word]
    take_pictures(fields)
    return fields, warnings


def take_pictures(fields: dict[str, Any]) -> None:
    """Edits in JSON name pictures by ``{"image_url": …}`` or ``{"file_id": …}``."""
    if "images" in fields:
        fields["image"] = fields.pop("images")
    for name in _PICTURES:
        value = fields.get(name)
        if isinstance(value, list | tuple):
            if len(value) != 1:
                raise InvalidJob(
                    "one picture can be edited at a time", field=name, allowed="one picture"
                )
            value = fields[name] = value[0]
        if isinstance(value, Mapping):
            named = [value[key] for key in ("image_url", "file_id") if value.get(key)]
            if len(named) != 1 or not isinstance(named[0], str):
                raise InvalidJob("not a picture", field=name, allowed="image_url or file_id")
            fields[name] = named[0]
