"""Requests for pictures as clients of OpenAI write them, in bodies and in lines of batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from winepress.client import Client
from winepress.gateway.openai.model_names import answers_bytes, check_name, model_for
from winepress.gateway.openai.sizes import fitting_size
from winepress_shared.errors import InvalidJob

MOST_PICTURES = 10  #: of one request
_MOST_PARTIAL_IMAGES = 3
_TRUE, _FALSE = ("true", "1"), ("false", "0", "")


@dataclass(frozen=True)
class ImageRequest:
    """What one request asks for."""

    fields: dict[str, Any]  #: of the job, under any name that job files may use
    warnings: tuple[str, ...]
    wants_bytes: bool  #: in base64, and not a URL
    stream: bool
    partial_images: int  #: previews to send in a stream
    end_user: str  #: of the caller's own service

    @property
    def model(self) -> str:
        """The model of the farm."""
        return str(self.fields["model"])


def read_request(client: Client, values: Mapping[str, Any], kind: str) -> ImageRequest:
    """The request in the fields of a body, whose values may be texts of a form.

    ``kind`` is that of the job. Raises InvalidJob and UnknownModel.
    """
    fields = {name: value for name, value in values.items() if value is not None}
    if fields.get("kind", kind) != kind:
        raise InvalidJob("another kind of job", field="kind", value=fields["kind"], allowed=kind)
    name = check_name(fields.pop("model", None))
    model = client.catalogue.get(model_for(client.settings, client.catalogue, name, kind))
    response_format = fields.pop("response_format", None)
    if response_format not in (None, "", "url", "b64_json"):
        raise InvalidJob(
            "not a form of answer",
            field="response_format",
            value=response_format,
            allowed="url, b64_json",
        )
    is_edit = kind != "text-to-image"
    size, said = fitting_size(model, fields.pop("size", None), of_picture=is_edit)
    warnings = [said] if said else []
    fields |= {"model": model.name, "kind": kind} | ({} if size is None else {"size": size})
    if fields.get("output_compression") in (0, "0"):
        fields["output_compression"] = 1  # our least quality
    stream = _flag(fields, "stream")
    partial_images = _number(fields, "partial_images", 0, 0, _MOST_PARTIAL_IMAGES)
    if partial_images and not stream:
        warnings.append("partial_images is ignored: only a stream has them")
    fields["n"] = _number(fields, "n", 1, 1, MOST_PICTURES)
    return ImageRequest(
        fields,
        tuple(warnings),
        response_format == "b64_json" or (not response_format and answers_bytes(name)),
        stream,
        partial_images if stream else 0,
        _end_user(fields),
    )


def _flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.pop(name, False)
    word = str(value).lower()
    if word not in (*_TRUE, *_FALSE):
        raise InvalidJob("neither true nor false", field=name, value=value)
    return word in _TRUE


def _number(fields: dict[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = fields.pop(name, default)
    word = str(value)
    if isinstance(value, bool) or not (word.isascii() and word.isdecimal() and len(word) < 10):
        raise InvalidJob("not a number", field=name, value=value, allowed=f"{least} to {most}")
    if not least <= int(word) <= most:
        raise InvalidJob("out of bounds", field=name, value=value, allowed=f"{least} to {most}")
    return int(word)


def _end_user(fields: dict[str, Any]) -> str:
    """The user, or the identifier that replaces it in newer requests."""
    found = [fields.pop(name, None) for name in ("safety_identifier", "user")]
    user = next(filter(None, found), "")
    if not isinstance(user, str):
        raise InvalidJob("not text", field="user", value=user)
    return user
