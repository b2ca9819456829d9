"""Where a picture may come from, and what is said where it does not say enough itself."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import ExifTags, Image
from support import colour_profiles

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.picture import Picture
from winepress_shared.jobs.pixels import Pixels


def test_a_picture_is_the_same_from_everywhere(tmp_path: Path) -> None:
    """A path, its bytes, the open file and the image that Pillow made of it: one way in."""
    buffer = io.BytesIO()
    icc = colour_profiles.red_is_green()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    tall = Image.linear_gradient("L").resize((64, 96)).convert("RGB")
    tall.save(buffer, "PNG", exif=exif, icc_profile=icc)
    data, path = buffer.getvalue(), tmp_path / "a.png"
    path.write_bytes(data)
    loaded = Image.open(path)
    loaded.load()
    with path.open("rb") as file:
        pictures = [Picture.load(source) for source in (path, data, bytearray(data), file, loaded)]
    pictures += [Picture.load(Image.open(path)), Picture.load(loaded.copy())]
    assert len(set(pictures)) == 1
    assert pictures[0].size == (96, 64)
    assert loaded.getexif()[ExifTags.Base.Orientation] == 6  # the caller's own image is left alone
    assert loaded.size == (64, 96)


def test_file_that_is_open_for_text_is_refused(tmp_path: Path) -> None:
    """What it gives is no longer what was in the file."""
    path = tmp_path / "a.txt"
    path.write_text("hello")
    with path.open() as file, pytest.raises(InvalidJob, match="not open for bytes"):
        Picture.load(file)  # type: ignore[arg-type]


def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path: Path) -> None:
    """WebP and PNG may hold many pictures."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue")]
    for form in ("PNG", "WEBP"):
        path = tmp_path / form
        frames[0].save(path, form, save_all=True, append_images=frames[1:], lossless=True)
        picture = Picture.load(path)
        assert picture == Picture.load(frames[0])
        assert picture.warnings == ("is animated; only one frame is used",)


def test_the_further_pictures_of_a_camera_are_no_animation(tmp_path: Path) -> None:
    """An MPO holds the same shot as seen by another lens, or smaller."""
    path, frames = (
        tmp_path / "a.mpo",
        [Image.new("RGB", (64, 64), name) for name in ("red", "lime")],
    )
    frames[0].save(path, "MPO", save_all=True, append_images=frames[1:])
    picture = Picture.load(path)
    assert (picture.size, picture.warnings) == ((64, 64), ())


def test_16_bits_are_rounded_to_8() -> None:
    """Not cut off: 456 of 65535 is 1.77 of 255, and a half of 1 is 127.5."""
    for mode, level, grey in (("I;16", 456, 2), ("F", 0.5, 128)):
        image = Image.new(mode, (64, 64), level)
        assert Pixels.of(image).colours.getpixel((0, 0)) == (grey, grey, grey)


def test_a_profile_that_could_not_be_unpacked_is_ignored_aloud() -> None:
    """Pillow says so with None in its place."""
    image = Image.new("RGB", (64, 64), "red")
    image.info["icc_profile"] = None
    pixels = Pixels.of(image)
    assert pixels.colours.getpixel((0, 0)) == (255, 0, 0)
    assert pixels.warnings == ("has a colour profile that is damaged; it is ignored",)


def test_the_greys_of_whole_numbers_are_no_fractions() -> None:
    """A dark picture of mode I is dark, although 1 is its lightest."""
    image = Image.new("I", (64, 64), 1)
    assert Pixels.of(image).colours.getpixel((0, 0)) == (1, 1, 1)


@pytest.mark.parametrize("where", [(0, 0), (63, 63)])
def test_greys_that_are_no_numbers_are_refused(where: tuple[int, int]) -> None:
    """Wherever they are: they would come out black."""
    image = Image.new("F", (64, 64), 0.5)
    image.putpixel(where, float("nan"))
    with pytest.raises(InvalidJob, match="outside the usual ranges"):
        Pixels.of(image)


@pytest.mark.parametrize(
    ("mode", "levels", "white"),
    [("F", (0, 1), 1), ("F", (0, 255), 255), ("F", (0, 65535), 65535), ("I", (0, 255), 255)],
)
def test_greys_without_a_white_of_their_own_are_guessed_aloud(
    mode: str, levels: tuple[int, int], white: int
) -> None:
    """Their largest level says which of the usual ranges is meant, and a warning that it did."""
    image = Image.new(mode, (2, 2), levels[0])
    image.putpixel((1, 1), levels[1])
    picture = Picture.load(image)
    drawn = Image.open(io.BytesIO(picture.png or b""))
    assert [drawn.getpixel(at) for at in ((0, 0), (1, 1))] == [(0, 0, 0), (255, 255, 255)]
    assert picture.warnings[0].endswith(f"{white} was assumed")


@pytest.mark.parametrize(("mode", "level"), [("I", -1), ("I", 65536), ("F", -0.5), ("F", 1e9)])
def test_greys_of_no_usual_range_are_refused(mode: str, level: float) -> None:
    """They would come out black or white."""
    with pytest.raises(InvalidJob, match="outside the usual ranges"):
        Picture.load(Image.new(mode, (64, 64), level))
