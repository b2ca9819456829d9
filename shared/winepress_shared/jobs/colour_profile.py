"""Converts a picture's colours from its ICC profile to sRGB."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

#: Colour space of a profile (ICC.1, table 19) → Pillow's mode of the pixels it describes.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
#: Modes whose pixels convert to another mode without loss, like grey to three channels.
_WIDER = {("L", "RGB")}
#: A profile that changes no colour by more than this, in levels of 255, counts as sRGB.
_NOISE = 2


class UselessProfile(ValueError):
    """The profile is damaged, or for another colour space than the picture's."""


def in_srgb(colours: Image.Image, icc: bytes) -> Image.Image:
    """``colours`` (``L``, ``RGB``, ``CMYK`` or ``LAB``) as RGB; raises UselessProfile."""
    from PIL import ImageCms  # a separate library that a worker's small parent does not need

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        mode = _MODES.get(space, "")
        if mode != colours.mode and (colours.mode, mode) not in _WIDER:
            raise UselessProfile(f"is for {space}, but the picture is {colours.mode}")
        # Colours outside sRGB are clipped, and black stays black.
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode != "CMYK" and mode != "LAB" and _is_srgb(transform, mode):
            return colours.convert("RGB")
        return transform.apply(colours.convert(mode))
    except (OSError, ImageCms.PyCMSError):
        raise UselessProfile("is damaged") from None


def _is_srgb(transform: ImageCmsTransform, mode: str) -> bool:
    """Whether the transform changes nothing, so that equal pixels become equal files."""
    ramp = Image.linear_gradient("L")
    if mode == "RGB":  # every combination of sixteen levels of red, green and blue
        levels = bytes(range(0, 256, 17))
        colours = b"".join(map(bytes, itertools.product(levels, repeat=3)))
        ramp = Image.frombytes("RGB", (64, 64), colours)
    moved = ImageChops.difference(transform.apply(ramp), ramp.convert("RGB"))
    return max(moved.tobytes()) <= _NOISE
