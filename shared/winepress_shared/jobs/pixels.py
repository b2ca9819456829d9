"""Reads the pixels of any Pillow image: upright, in sRGB, with separate alpha."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from PIL import ExifTags, Image, ImageMath

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.colour_profile import UselessProfile, in_srgb

#: EXIF orientation (EXIF 2.32, tag 274) → the transposition that makes it upright.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Modes with premultiplied alpha → the same mode without.
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
#: Grey modes without a defined range.
_WIDE_GREYS = ("I", "F")
_RANGES = (1.0, 255.0, 65535.0)  #: possible levels of white for such modes
#: PNG layouts whose transparent colour Pillow leaves at the file's depth → factor to 8 bits.
_DEPTHS = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}


@dataclass(frozen=True)
class Pixels:
    """The colours and alpha of an image."""

    colours: Image.Image  #: RGB in the colours of sRGB, without metadata
    alpha: Image.Image | None  #: greyscale, 0 is transparent; None if the image has none
    warnings: tuple[str, ...] = ()  #: assumptions made in reading it

    @classmethod
    def of(cls, image: Image.Image) -> Pixels:
        """Read an image of any mode; raises InvalidJob, and Pillow's errors for a damaged one."""
        see_through = _see_through_colour(image)
        image.load()
        # After loading, because Pillow rotates a TIFF by itself. ImageOps.exif_transpose would also
        # rewrite the other EXIF tags, and fails on hostile ones.
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
        alpha = _alpha(image, see_through)
        colours, warnings = _colours(image)
        if turn is not None:
            colours, alpha = colours.transpose(turn), alpha and alpha.transpose(turn)
        colours.info = {}
        return cls(colours, alpha, (*_frames(image), *warnings))

    def on(self, background: str) -> Image.Image:
        """RGB, with ``background`` in transparent areas."""
        if self.alpha is None:
            return self.colours
        laid = Image.new("RGB", self.colours.size, background)
        laid.paste(self.colours, mask=self.alpha)
        return laid


def _frames(image: Image.Image) -> tuple[str, ...]:
    """The warning about an animation; a camera's MPO holds other pictures, not frames."""
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return ()
    return ("is animated; only one frame is used",)


def _see_through_colour(image: Image.Image) -> object:
    """The transparent colour (PNG, tRNS) in the depth of Pillow's pixels, or None."""
    colour: object = image.info.get("transparency")
    tiles = getattr(image, "tile", None)  # empty once an image is loaded
    factor = _DEPTHS.get(str(tiles[0][3])) if tiles else None
    if factor is None:
        return colour
    if isinstance(colour, tuple):
        return tuple(int(level * factor) for level in colour)
    return int(colour * factor) if isinstance(colour, int) else colour


def _alpha(image: Image.Image, see_through: object) -> Image.Image | None:
    if image.mode in _PREMULTIPLIED or image.mode in ("LA", "RGBA"):
        return image.getchannel(image.getbands()[-1])
    if not image.has_transparency_data:
        return None
    if image.mode in ("P", "PA"):
        return image.convert("RGBA").getchannel("A")
    if image.mode.startswith("I"):
        differs = ImageMath.lambda_eval(
            lambda bands: (bands["grey"] != see_through) * 255, grey=image.convert("I")
        )
        return cast("Image.Image", differs).convert("L")
    solid = image.copy()
    solid.info["transparency"] = see_through
    return solid.convert("RGBA").getchannel("A")


def _colours(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The colours as sRGB, and warnings about them."""
    colours, warnings = _plain(image)
    icc: object = image.info.get("icc_profile")
    if isinstance(icc, bytes) and icc:
        try:
            return in_srgb(colours, icc), warnings
        except UselessProfile as reason:
            warnings += (f"has a colour profile that {reason}; it is ignored",)
    elif "icc_profile" in image.info:  # Pillow could not decode it
        warnings += ("has a colour profile that is damaged; it is ignored",)
    return colours.convert("RGB"), warnings


def _plain(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The colours without alpha, in an 8-bit mode that profiles support."""
    if image.mode in _WIDE_GREYS:
        return _in_8_bits(image)
    if image.mode.startswith("I;16"):  # convert() would clip the 65536 greys
        return image.convert("I").point(lambda grey: grey / 257 + 0.5).convert("L"), ()
    image = image.convert(_PREMULTIPLIED.get(image.mode, image.mode))
    if image.mode in ("CMYK", "LAB"):
        return image, ()
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # else Pillow warns about palettes with alpha
    image.info.pop("transparency", None)
    return image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"), ()


def _holds_nan(image: Image.Image) -> bool:
    """Whether a grey is NaN; extrema are of the others, unless it is the first one."""
    own = ImageMath.lambda_eval(lambda bands: bands["grey"] != bands["grey"], grey=image)
    return cast("Image.Image", own).getbbox() is not None


def _in_8_bits(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Scale greys of a mode without a defined range, by the smallest usual range that fits."""
    low, high = cast("tuple[float, float]", image.getextrema())  # of one band
    white = next((white for white in _RANGES if high <= white), None)
    if white is None or low < 0 or _holds_nan(image):
        raise InvalidJob(
            "has grey levels outside the usual ranges",
            value=f"{low:g} to {high:g}",
            allowed="0 to 65535",
        )
    if image.mode == "I":
        white = max(white, _RANGES[1])
    scaled = image.convert("F").point(lambda grey: grey * (255 / white) + 0.5)
    warning = f"has mode {image.mode} without a defined white; {white:g} was assumed"
    return scaled.convert("L"), (warning,)
