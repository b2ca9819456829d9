"""Sizes as clients of OpenAI ask for them."""

from __future__ import annotations

import math

from winepress_shared.errors import InvalidJob
from winepress_shared.model import Model

#: Sizes that clients send because they know no others: taken as a wish for the shape.
_USUAL = (
    *("256x256", "512x512", "1024x1024"),
    *("1536x1024", "1024x1536", "1792x1024", "1024x1792"),
)


def fitting_size(model: Model, size: object, *, of_picture: bool) -> tuple[object, str | None]:
    """The size to draw in, such as ``256x256``, and a warning if it is not the one asked for.

    A usual size that the model does not take becomes its default size, in the shape that was asked
    for, or with ``of_picture`` that of the input picture. Any other size stays as it is.
    """
    if size not in _USUAL:
        return size, None
    width, height = map(int, str(size).split("x"))
    try:
        model.check_side("width", width)
        model.check_side("height", height)
    except InvalidJob:
        wish = "auto" if of_picture else _shaped(model, width / height)
        drawn = "the size of the picture" if of_picture else wish
        return wish, f"size is {drawn}: {model.name} does not take {size}"
    return size, None


def _shaped(model: Model, ratio: float) -> str:
    """A size with about as many pixels as the model's default, and about this ratio."""
    side = math.sqrt(model.width * model.height)
    stretch = math.sqrt(ratio)
    return f"{model.snap(round(side * stretch))}x{model.snap(round(side / stretch))}"
