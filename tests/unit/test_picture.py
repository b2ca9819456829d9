"""Pictures from outside: bounded, checked, made canonical."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.exif_orientations import ORIENTATION, UPRIGHT

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.picture import MAX_FILE_BYTES, MAX_SIDE_PX, Picture

#: Red, green, blue, white: no two orientations of this 2x2 picture are equal.
CORNERS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def decoded(picture: Picture) -> Image.Image:
    """The pixels behind a canonical picture."""
    assert picture.png is not None
    return Image.open(io.BytesIO(picture.png))


def corners(exif: Image.Exif | None = None) -> bytes:
    """A PNG of the four corners."""
    image = Image.new("RGB", (2, 2))
    image.putdata(CORNERS)
    return encoded(image, exif=exif or Image.Exif())


def png_header(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that claims a size, whatever stands in its body."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", body)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [*chunks, (b"IEND", b"")]
    )


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_each_accepted_format_becomes_a_png_without_metadata(form: str) -> None:
    """The format and the metadata of the source leave no trace."""
    exif = Image.Exif()
    exif[0x010E] = "the photographer's address"
    data = encoded(Image.new("RGB", (70, 64), "teal"), form, exif=exif)
    picture = Picture.load(data)
    image = decoded(picture)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (70, 64))
    assert (picture.size, picture.warnings) == ((70, 64), ())
    assert not image.getexif()
    assert set(image.info) == set()


def test_reference_is_the_digest_of_the_canonical_bytes() -> None:
    """Equal pixels share one object in the store, wherever they came from."""
    image = Image.new("RGB", (64, 64), "teal")
    pictures = [
        Picture.load(image),
        Picture.load(encoded(image)),
        Picture.load(encoded(image, compress_level=9)),
        Picture.load(encoded(image, "WEBP", lossless=True)),
    ]
    assert len(set(pictures)) == 1
    assert pictures[0].png
    digest = hashlib.sha256(pictures[0].png).hexdigest()
    assert pictures[0].reference == f"sha256:{digest}"
    assert pictures[0].key == f"inputs/{digest}.png"


def test_palette_with_transparency_keeps_its_colours() -> None:
    """A transparent palette entry is no reason to lose the opaque ones."""
    image = Image.new("P", (64, 64), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    data = encoded(image, transparency=0)
    assert decoded(Picture.load(data)).getpixel((5, 5)) == (200, 100, 50)


def test_sixteen_bit_greys_are_scaled_not_clipped() -> None:
    """A 16-bit scan would otherwise come out white."""
    image = Image.new("I;16", (3, 1))
    for column, grey in enumerate((0, 0x8080, 0xFFFF)):
        image.putpixel((column, 0), grey)
    loaded = decoded(Picture.load_mask(encoded(image)))
    assert [loaded.getpixel((column, 0)) for column in range(3)] == [0, 128, 255]


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_photograph_is_turned_upright(orientation: int) -> None:
    """A phone's picture is stored lying down and marked so; all eight marks are honoured."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    upright = decoded(Picture.load(corners(exif)))
    pixels = [upright.getpixel((x, y)) for y in range(2) for x in range(2)]
    assert pixels == [CORNERS[stored] for stored in UPRIGHT[orientation]]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientation_is_ignored(orientation: int) -> None:
    """Values the standard does not define leave the picture as it is stored."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert Picture.load(corners(exif)) == Picture.load(corners())


@pytest.mark.parametrize(
    "tag",
    [(0x011A, 2, 4, 65), (0x0100, 2, 4, 65), (0x0111, 5, 1, 8), (0x0100, 11, 1, 0)],
    ids=["resolution-is-text", "width-is-text", "strips-are-ratios", "width-is-float"],
)
def test_tags_of_the_wrong_type_do_not_stop_the_turning(tag: tuple[int, int, int, int]) -> None:
    """Pillow cannot write such EXIF tags again, and need not: only one tag is looked at."""
    entries = ((ORIENTATION, 3, 1, 6), tag)
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(12)
    assert Picture.load(encoded(Image.new("RGB", (64, 80)), exif=exif)).size == (80, 64)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PPM", "ICO", "TGA"])
def test_other_formats_are_refused(form: str) -> None:
    """Every decoder less is a way in less."""
    with pytest.raises(InvalidJob, match=r"not a readable picture.*allowed: PNG, JPEG or WebP"):
        Picture.load(encoded(Image.new("RGB", (64, 64)), form))


def test_animated_gif_is_refused() -> None:
    """Not even its first frame is taken."""
    frames = [Image.new("P", (64, 64), index) for index in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidJob, match="not a readable picture"):
        Picture.load(data)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_truncated_picture_is_refused(form: str, share: float) -> None:
    """Half a file is no picture with a grey lower half."""
    data = encoded(Image.effect_noise((64, 64), 80).convert("RGB"), form)
    with pytest.raises(InvalidJob, match="not a readable picture"):
        Picture.load(data[: int(len(data) * share)])


@pytest.mark.parametrize("data", [b"hello", b"<svg/>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"])
def test_other_bytes_are_refused(data: bytes) -> None:
    """Text, drawings, documents and a bare signature."""
    with pytest.raises(InvalidJob, match="not a readable picture"):
        Picture.load(data)


@pytest.mark.parametrize(
    "size", [(60_000, 60_000), (10_000, 10_000), (4097, 1), (1, 4097), (2**31 - 1, 2**31 - 1)]
)
def test_decompression_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    """A small file that claims a huge picture is never unpacked."""
    bomb = png_header(*size, body=zlib.compress(bytes(2**20), 9))
    with pytest.raises(InvalidJob, match="picture is too large"):
        Picture.load(bomb)


def test_longest_side_is_inclusive() -> None:
    """4096 pixels are accepted from a file and from PIL, one more is not."""
    assert Picture.load_mask(Image.new("L", (MAX_SIDE_PX, 1))).size == (MAX_SIDE_PX, 1)
    assert Picture.load_mask(encoded(Image.new("L", (1, MAX_SIDE_PX)))).size == (1, MAX_SIDE_PX)
    with pytest.raises(InvalidJob, match="too large"):
        Picture.load_mask(Image.new("L", (MAX_SIDE_PX + 1, 1)))
    with pytest.raises(InvalidJob, match="too large"):
        Picture.load_mask(Image.new("L", (0, 1)))


def test_huge_file_is_refused_without_reading_all_of_it(tmp_path: Path) -> None:
    """The bound is inclusive, for bytes and for files, also files that never end."""
    data = encoded(Image.new("RGB", (64, 64)))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    os.truncate(path, MAX_FILE_BYTES)
    assert Picture.load(path) == Picture.load(data)
    os.truncate(path, MAX_FILE_BYTES + 1)
    with pytest.raises(InvalidJob, match="larger than 32 MiB"):
        Picture.load(path)
    with pytest.raises(InvalidJob, match="too large"):
        Picture.load(data.ljust(MAX_FILE_BYTES + 1, b"\0"))
    with pytest.raises(InvalidJob, match="not a regular file"):
        Picture.load(Path("/dev/zero"))


def test_picture_that_pil_opened_but_cannot_read_is_refused() -> None:
    """PIL reads pixels late; the mistake is still the caller's."""
    data = encoded(Image.effect_noise((64, 64), 80))
    with pytest.raises(InvalidJob, match="not a readable picture"):
        Picture.load(Image.open(io.BytesIO(data[:300])))


@pytest.mark.parametrize("name", ["missing.png", ".", "a\0b.png", "x" * 5000])
def test_unreadable_path_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """Missing, a folder, not even a path: one sentence, no traceback."""
    with pytest.raises(InvalidJob, match=r"cannot read the picture: .*got "):
        Picture.load(tmp_path / name)


def test_picture_behind_a_pipe_is_read(tmp_path: Path) -> None:
    """Shells hand over ``<(command)`` as a pipe, which has no size."""
    data = encoded(Image.new("RGB", (64, 64)))
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    try:
        assert Picture.load(Path(f"/dev/fd/{reader}")) == Picture.load(data)
    finally:
        os.close(reader)


def test_reference_is_read_back() -> None:
    """Parsing gives the same picture, without its bytes and its size."""
    picture = Picture.load(Image.new("RGB", (64, 64)))
    parsed = Picture.parse(picture.reference)
    assert (parsed.reference, parsed.key) == (picture.reference, picture.key)
    assert (parsed.size, parsed.png) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "sha256:" + "0" * 64 + "\n",
        "sha256:" + "A" * 64,
        "sha256:" + "../" * 21 + "a",
        "md5:" + "0" * 64,
        "0" * 64,
        "/etc/passwd",
    ],
)
def test_other_references_are_refused(text: str) -> None:
    """A reference becomes a key of the store, so nothing else may look like one."""
    with pytest.raises(InvalidJob, match="not a picture reference"):
        Picture.parse(text)


def _samples() -> list[bytes]:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "text"
    exif[0x011A] = 72.0
    images = [Image.new(mode, (40, 30)) for mode in ("RGB", "P", "L")]
    return [
        encoded(image.convert("RGB") if form == "JPEG" else image, form, exif=exif)
        for image in images
        for form in ("PNG", "JPEG", "WEBP")
    ]


@given(
    st.sampled_from(_samples()),
    st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_picture_is_a_picture_or_refused(
    data: bytes, damage: list[tuple[int, int]]
) -> None:
    """Whatever bytes of the headers are wrong, nothing but InvalidJob is raised."""
    damaged = bytearray(data)
    for position, value in damage:
        damaged[position % len(damaged)] = value
    try:
        picture = Picture.load(bytes(damaged))
    except InvalidJob:
        return
    assert decoded(picture).mode == "RGB"
