"""Fields of a request to the OpenAI Images API that mean nothing to a farm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winepress_shared.errors import InvalidJob

_WORDS = "the model and its steps decide how well a picture is drawn"
_TURNS = "the flag --user says whose turn a job takes"
_BETWEEN = "preview_every asks for pictures in between"
#: Field → the values that OpenAI documents (none named: any text), and why they change nothing.
_IDLE: dict[str, tuple[tuple[object, ...], str]] = {
    "quality": (("auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"), _WORDS),
    "complexity": ((), _WORDS),
    "style": (("vivid", "natural"), "the prompt alone says the style"),
    "moderation": (("auto", "low"), "no picture is judged here"),
    "response_format": (("url", "b64_json"), "pictures are files in the store"),
    "input_fidelity": (("low", "high"), "strength says how near a picture stays to its source"),
    "stream": ((True, False), _BETWEEN),
    "partial_images": ((0, 1, 2, 3), _BETWEEN),
    "user": ((), _TURNS),
    "safety_identifier": ((), _TURNS),
}
#: `background` is a field of ours too, where it is a colour.
_BACKGROUNDS = ("auto", "transparent", "opaque")


def without_idle(values: Mapping[str, Any], *, has_user: bool) -> tuple[dict[str, Any], list[str]]:
    """``values``, none of them None, without those fields, and a warning for each.

    ``has_user`` keeps the user, of whom a job alone has one. Raises InvalidJob for a value that
    OpenAI does not know either.
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
        warnings.append("background is ignored: a picture is opaque")
    if "output_compression" in fields:
        fields["output_quality"] = fields.pop("output_compression")
    return fields, warnings
