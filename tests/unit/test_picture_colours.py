"""What colours a picture from outside has, whatever its mode, profile, alpha and orientation."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms
from support import colour_profiles
from support.exif_orientations import ORIENTATION, UPRIGHT

from winepress_shared.jobs.picture import Picture

Colour = tuple[int, int, int]
COLOURS: list[Colour] = [(220, 40, 60), (30, 180, 90), (40, 70, 230), (250, 240, 200)]
GREYS: list[Colour] = [(128, 128, 128), (0, 0, 0), (188, 188, 188), (255, 255, 255)]
BITS: list[Colour] = [(0, 0, 0), (255, 255, 255), (255, 255, 255), (0, 0, 0)]
INKS: list[Colour] = [(255, 0, 0), (0, 0, 0), (255, 255, 255), (255, 0, 0)]
BACKGROUND: Colour = (0, 0, 255)
#: Of 255: rounding of YCbCr, HSV and L*a*b*, and of the least colour profiles.
TOLERANCE = 8

KeyFrameRenderer = Callable[[list[Colour]], Image.Image]


def _rgb(colours: list[Colour]) -> Image.Image:
    image = Image.new("RGB", (2, 2))
    image.putdata(colours)
    return image


def _as(mode: str) -> KeyFrameRenderer:
    return lambda colours: _rgb(colours).convert(mode)


def _wide(mode: str, white: float) -> KeyFrameRenderer:
    def paint(colours: list[Colour]) -> Image.Image:
        image = Image.new(mode, (2, 2))
        for at, (level, _, _) in enumerate(colours):
            grey = level / 255 * white
            image.putpixel((at % 2, at // 2), grey if mode == "F" else round(grey))
        return image

    return paint


def _lab(colours: list[Colour]) -> Image.Image:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.buildTransform(srgb, lab, "RGB", "LAB").apply(_rgb(colours))
    image.info = {}
    return image


def _inks(colours: list[Colour]) -> Image.Image:
    written = {(255, 0, 0): (255, 0, 0, 0), (0, 0, 0): (0, 0, 0, 255), (255,) * 3: (0, 0, 0, 0)}
    image = Image.new("CMYK", (2, 2))
    image.putdata([written[colour] for colour in colours])
    return image


#: mode → how it is painted, and its colours.
MODES: dict[str, tuple[KeyFrameRenderer, list[Colour]]] = {
    "1": (_as("1"), BITS),
    **{mode: (_as(mode), GREYS) for mode in ("L", "LA", "La")},
    **{mode: (_wide(mode, 65535), GREYS) for mode in ("I;16", "I;16B", "I")},
    "F": (_wide("F", 1.0), GREYS),
    **{mode: (_as(mode), COLOURS) for mode in ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")},
    "P": (lambda colours: _rgb(colours).quantize(4), COLOURS),
    "PA": (lambda colours: _rgb(colours).convert("RGBA").quantize(4).convert("PA"), COLOURS),
    "RGBa": (lambda colours: _rgb(colours).convert("RGBA").convert("RGBa"), COLOURS),
    "LAB": (_lab, COLOURS),
}
MODES["La"] = (lambda colours: _rgb(colours).convert("LA").convert("La"), GREYS)
GREY_MODES = [mode for mode, (_, colours) in MODES.items() if colours is not COLOURS]
RGB_MODES = ["RGB", "RGBA", "RGBX", "YCbCr", "HSV", "P", "PA", "RGBa"]
#: Modes in which one colour may be marked as transparent, as PNG does.
MARKED = ["1", "L", "I;16", "RGB", "P"]
ALPHA_MODES = ["LA", "La", "PA", "RGBA", "RGBa"]


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The same with an EXIF mark, as Pillow keeps it beside the pixels."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = image.copy()
    image.info["exif"] = exif.tobytes()
    return image


def shown(picture: Picture) -> list[Colour]:
    """The corners of a canonical picture."""
    assert picture.png is not None
    image = Image.open(io.BytesIO(picture.png))
    assert (image.mode, image.size) == ("RGB", (2, 2))
    assert "icc_profile" not in image.info
    return [image.getpixel((at % 2, at // 2)) for at in range(4)]  # type: ignore[misc]


def assert_alike(found: list[Colour], wanted: list[Colour]) -> None:
    """Equal but for rounding."""
    far = max(
        abs(a - b)
        for one, other in zip(found, wanted, strict=True)
        for a, b in zip(one, other, strict=True)
    )
    assert far <= TOLERANCE, (found, wanted)


def as_it_is(colour: Colour) -> Colour:
    """A colour under a profile that changes nothing."""
    return colour


def linear(colour: Colour) -> Colour:
    """A grey as `colour_profiles.linear_grey` writes it (IEC 61966-2-1)."""
    level = colour[0] / 255
    light = level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4
    return (round(light * 255),) * 3


def exchanged(colour: Colour) -> Colour:
    """A colour as `colour_profiles.red_is_green` writes it."""
    return (colour[1], colour[0], colour[2])


#: (modes, profile, how a colour is written under it, what is said of it)
PROFILES = {
    "none": (list(MODES), None, None, ""),
    "sRGB": (RGB_MODES + GREY_MODES, colour_profiles.srgb(), None, ""),
    "red is green": (RGB_MODES, colour_profiles.red_is_green(), exchanged, ""),
    "colours, of greys": (GREY_MODES, colour_profiles.red_is_green(), None, ""),
    "linear greys": (GREY_MODES, colour_profiles.linear_grey(), linear, ""),
    "greys, of colours": (RGB_MODES, colour_profiles.linear_grey(), None, "is for GRAY"),
    "L*a*b*": (["LAB"], colour_profiles.lab(), None, ""),
    "colours, of inks": (["CMYK"], colour_profiles.red_is_green(), None, "is for RGB"),
    "inks, of others": ([*RGB_MODES, *GREY_MODES, "LAB"], colour_profiles.cmyk(), None, "for CMYK"),
    "broken": ([*RGB_MODES, *GREY_MODES], colour_profiles.srgb()[:300], None, "is damaged"),
    "text": (list(MODES), b"no profile", None, "is damaged"),
}
CASES = [(mode, name) for name, (modes, *_) in PROFILES.items() for mode in modes]


@pytest.mark.parametrize(("mode", "profile"), CASES)
def test_colours_are_those_that_were_meant(mode: str, profile: str) -> None:
    """Every mode under every profile, lying on each of its eight sides."""
    paint, colours = MODES[mode]
    _, icc, written, said = PROFILES[profile]
    for orientation, order in UPRIGHT.items():
        image = turned(paint([(written or as_it_is)(colour) for colour in colours]), orientation)
        if icc:
            image.info["icc_profile"] = icc
        picture = Picture.load(image)
        assert_alike(shown(picture), [colours[at] for at in order])
        assert any(said in warning for warning in picture.warnings) or not said
        assert said or all("profile" not in warning for warning in picture.warnings)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_inks_are_those_of_their_profile(orientation: int) -> None:
    """A printer's picture: its profile says what its first ink looks like."""
    image = turned(_inks(INKS), orientation)
    image.info["icc_profile"] = colour_profiles.cmyk()
    wanted = [INKS[at] for at in UPRIGHT[orientation]]
    assert_alike(shown(Picture.load(image)), wanted)


@pytest.mark.parametrize("profile", ["none", "red is green", "linear greys", "broken"])
@pytest.mark.parametrize("mode", ALPHA_MODES)
def test_what_is_transparent_shows_the_background(mode: str, profile: str) -> None:
    """Whole, half and not at all: alpha is laid on the background after colours are converted."""
    _, colours = MODES[mode]
    modes, icc, written, _ = PROFILES[profile]
    if mode not in modes:
        return
    alpha = Image.new("L", (2, 2))
    alpha.putdata([255, 128, 0, 255])
    image = MODES[mode.upper()][0]([(written or as_it_is)(colour) for colour in colours])
    image.putalpha(alpha)
    image = image if image.mode == mode else image.convert(mode)
    if icc:
        image.info["icc_profile"] = icc
    half = [(a * 128 + b * 127) // 255 for a, b in zip(colours[1], BACKGROUND, strict=True)]
    laid = [colours[0], (half[0], half[1], half[2]), BACKGROUND, colours[3]]
    for orientation, order in UPRIGHT.items():
        found = shown(Picture.load(turned(image, orientation), "#0000ff"))
        assert_alike(found, [laid[at] for at in order])


@pytest.mark.parametrize("mode", MARKED)
def test_one_transparent_colour_shows_the_background(mode: str) -> None:
    """PNG may name one colour as transparent instead of having alpha; others stay."""
    paint, colours = MODES[mode]
    image = paint(colours)
    first = image.getpixel((0, 0))
    image.info["transparency"] = first
    wanted = [BACKGROUND if colour == colours[0] else colour for colour in colours]
    assert_alike(shown(Picture.load(image, "#0000ff")), wanted)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert_alike(shown(Picture.load(buffer.getvalue(), "#0000ff")), wanted)


def test_palette_may_be_half_transparent() -> None:
    """Alpha of its own for every entry; no warning of Pillow's reaches anybody."""
    image = _rgb(COLOURS).quantize(4)
    image.info["transparency"] = bytes(4)
    picture = Picture.load(image, "#0000ff")
    assert shown(picture) == [BACKGROUND] * 4
    assert picture.warnings == ()


def _png(depth: int, kind: int, row: bytes, mark: bytes) -> bytes:
    """A PNG of one row of two pixels, with one transparent colour."""
    header = struct.pack(">IIBBBBB", 2, 1, depth, kind, 0, 0, 0)
    pixels = zlib.compress(b"\0" + row)
    chunks = [(b"IHDR", header), (b"tRNS", mark), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (_png(2, 0, b"\x60", b"\0\1"), (170, 170, 170)),
        (_png(4, 0, b"\x48", b"\0\4"), (136, 136, 136)),
        (_png(8, 0, b"\x40\x80", b"\0\x40"), (128, 128, 128)),
        (_png(16, 0, b"\x9c\x40\x80\x80", b"\x9c\x40"), (128, 128, 128)),
        (_png(8, 2, b"\x20\x40\x60\1\2\3", b"\0\x20\0\x40\0\x60"), (1, 2, 3)),
        (_png(16, 2, b"\x9c\x40" * 3 + b"\1\0\2\0\3\0", b"\x9c\x40" * 3), (1, 2, 3)),
    ],
    ids=["2 bits", "4 bits", "8 bits", "16 bits", "colours", "16 bit colours"],
)
def test_transparent_colour_is_found_in_every_depth(data: bytes, kept: Colour) -> None:
    """The mark is written in the depth of the file, which is not that of the decoded pixels."""
    png = Picture.load(data, "#0000ff").png
    assert png is not None
    image = Image.open(io.BytesIO(png))
    assert [image.getpixel((0, 0)), image.getpixel((1, 0))] == [BACKGROUND, kept]


def test_equal_colours_get_one_name_whatever_profile_says_so() -> None:
    """A profile that means sRGB changes not one level, and none is kept in what is stored."""
    ramp = Image.linear_gradient("L").convert("RGB")
    marked = ramp.copy()
    marked.info["icc_profile"] = colour_profiles.srgb()
    lying = Image.merge("RGB", [ramp.getchannel(band) for band in (1, 0, 2)])
    lying.info["icc_profile"] = colour_profiles.red_is_green()
    assert Picture.load(marked) == Picture.load(lying) == Picture.load(ramp)
