"""Job fields with pictures, and fields that control how they are read."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from PIL import Image, ImageColor
from pydantic import BaseModel, BeforeValidator, PlainSerializer, ValidationInfo

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.picture import WHITE, MaskMode, Picture
from winepress_shared.jobs.sound import Sound

_HEX = re.compile(r"#[0-9a-f]{6}")


def read_background(value: object) -> str:
    """``#rrggbb`` of a colour given in this form or by its CSS name; raises InvalidJob."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if not _HEX.fullmatch(text) and text not in ImageColor.colormap:
        near = difflib.get_close_matches(text, ImageColor.colormap, n=1)
        raise InvalidJob(
            "not a valid colour",
            field="background",
            value=value,
            allowed="#rrggbb or a CSS colour name, for example white",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    red, green, blue = ImageColor.getrgb(text)[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


class FromPictures(BaseModel):
    """A mixin for jobs with input pictures; its fields are read before theirs."""

    #: Colour of an input picture's transparent areas.
    background: Annotated[str, BeforeValidator(read_background)] = WHITE

    @property
    def input_warnings(self) -> tuple[str, ...]:
        """Warnings from reading the input files, one sentence each."""
        given = ((name, value) for name, value in self if isinstance(value, Picture | Sound))
        return tuple(f"{name} {warning}" for name, value in given for warning in value.warnings)


def load_picture(name: str, value: Any, background: str, mask_mode: MaskMode) -> Picture:
    """The picture of field ``name``, from any kind of source; raises InvalidJob."""
    try:
        if isinstance(value, Picture):
            return value
        if isinstance(value, str):
            if value.startswith("sha256:"):
                return Picture.parse(value)
            value = Path(value)
        if not isinstance(value, Path | bytes | bytearray | memoryview | Image.Image) and not (
            hasattr(value, "read")
        ):
            allowed = "a path, bytes, an open file or a PIL image"
            raise InvalidJob("not a picture", value=value, allowed=allowed)
        return (
            Picture.load_mask(value, mask_mode)
            if name == "mask"
            else Picture.load(value, background)
        )
    except InvalidJob as error:
        error.field = error.field or name
        raise


def _given(value: object, info: ValidationInfo) -> Picture:
    background, mask_mode = info.data.get("background", WHITE), info.data.get("mask_mode", "auto")
    return load_picture(info.field_name or "image", value, background, mask_mode)


if TYPE_CHECKING:
    # Accepts a path, bytes, an open file, a PIL image or a Picture; always holds a Picture.
    ImageField = Any
else:
    ImageField = Annotated[
        Picture,
        BeforeValidator(_given),
        PlainSerializer(lambda picture: picture.reference, return_type=str),
    ]
