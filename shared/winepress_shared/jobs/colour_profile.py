"""The colours that a picture's ICC profile means, as those of sRGB."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

#: Colour space of a profile (ICC.1, table 19) → Pillow's mode of the pixels it describes.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
#: Modes whose pixels can be written in another one without loss, as a grey can in three channels.
_WIDER = {("L", "RGB")}
#: A profile that moves no colour further, in levels of 255, is sRGB as another program wrote it.
_NOISE = 2


class UselessProfile(ValueError):
    """The profile is broken, or describes other pixels than those it came with."""


def in_srgb(colours: Image.Image, icc: bytes) -> Image.Image:
    """``colours`` (``L``, ``RGB``, ``CMYK`` or ``LAB``) as RGB; raises UselessProfile."""
    from PIL import ImageCms  # a library of its own, which a worker's small parent need not hold

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        mode = _MODES.get(space, "")
        if mode != colours.mode and (colours.mode, mode) not in _WIDER:
            raise UselessProfile(f"is for {space} and the picture is {colours.mode}")
        # What prints and screens cannot show is clipped, and black stays black.
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
        raise UselessProfile("is broken") from None


def _is_srgb(transform: ImageCmsTransform, mode: str) -> bool:
    """Whether the transform changes nothing: equal pixels are to become equal files."""
    ramp = Image.linear_gradient("L")
    if mode == "RGB":  # every combination of sixteen levels of red, green and blue
        levels = bytes(range(0, 256, 17))
        colours = b"".join(map(bytes, itertools.product(levels, repeat=3)))
        ramp = Image.frombytes("RGB", (64, 64), colours)
    moved = ImageChops.difference(transform.apply(ramp), ramp.convert("RGB"))
    return max(moved.tobytes()) <= _NOISE
