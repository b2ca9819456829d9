"""Which part of a picture a mask selects, and what is said where that is in doubt."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from winepress.bulk.line import Line
from winepress.bulk.plan import Plan, PlanOptions
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import Inpaint, decode_job, parse_job
from winepress_shared.jobs.picture import MaskMode, Picture

SIZE = (64, 64)
HOLE = (0, 0, 31, 63)  #: the left half


def painted(mode: str, ground: object, hole: object) -> Image.Image:
    """A ground with a hole in it."""
    image = Image.new(mode, SIZE, ground)  # type: ignore[arg-type]
    ImageDraw.Draw(image).rectangle(HOLE, fill=hole)  # type: ignore[arg-type]
    return image


def halves(mask: Picture) -> tuple[object, object]:
    """What is drawn anew of the left and of the right half, 0 to 255."""
    image = Image.open(io.BytesIO(mask.png or b""))
    assert image.mode == "L"
    return image.getpixel((5, 5)), image.getpixel((60, 5))


#: As the Images API of OpenAI has it: the picture itself, transparent where it is drawn anew.
OPENAI = painted("RGBA", (200, 180, 160, 255), (200, 180, 160, 0))
LAYER = painted("RGBA", (0, 0, 0, 0), (255, 255, 255, 255))  #: white strokes on a layer
PLAIN = painted("L", 0, 255)
OPAQUE = painted("RGBA", (0, 0, 0, 255), (255, 255, 255, 255))


@pytest.mark.parametrize(
    ("mask", "mode", "drawn"),
    [
        (PLAIN, "auto", (255, 0)),
        (PLAIN, "luminance", (255, 0)),
        (OPAQUE, "auto", (255, 0)),
        (OPENAI, "auto", (255, 0)),
        (OPENAI, "alpha", (255, 0)),
        (LAYER, "auto", (0, 255)),
        (LAYER, "luminance", (255, 0)),
        (painted("LA", (255, 255), (255, 0)), "auto", (255, 0)),
        (painted("1", 0, 1), "auto", (255, 0)),
        (painted("RGB", "black", "white"), "auto", (255, 0)),
    ],
)
def test_a_mask_selects_what_its_mode_says(
    mask: Image.Image, mode: MaskMode, drawn: tuple[int, int]
) -> None:
    """White is drawn anew, or what is transparent; ``auto`` takes alpha where it varies."""
    assert halves(Picture.load_mask(mask, mode)) == drawn


@pytest.mark.parametrize(
    ("mask", "mode", "said"),
    [
        (PLAIN, "auto", ""),
        (OPAQUE, "auto", ""),
        (OPENAI, "alpha", ""),
        (LAYER, "luminance", ""),
        (OPENAI, "auto", "by its alpha"),
        (LAYER, "auto", "by its alpha"),
        (Image.new("L", SIZE, 0), "auto", "selects nothing"),
        (Image.new("L", SIZE, 127), "auto", "selects nothing"),
        (Image.new("L", SIZE, 128), "auto", "selects everything"),
        (Image.new("RGBA", SIZE, (0, 0, 0, 255)), "alpha", "selects nothing"),
        (Image.new("RGBA", SIZE, (0, 0, 0, 0)), "alpha", "selects everything"),
        (Image.new("RGBA", SIZE, (255, 255, 255, 0)), "auto", "selects nothing"),
    ],
)
def test_what_is_doubtful_about_a_mask_is_said(
    mask: Image.Image, mode: MaskMode, said: str
) -> None:
    """Alpha taken by guess, and masks with which inpainting is no inpainting."""
    warnings = Picture.load_mask(mask, mode).warnings
    assert len(warnings) == bool(said)
    assert all(said in warning for warning in warnings)


def test_alpha_must_be_there_to_be_read() -> None:
    """An opaque mask has none: it would select nothing."""
    with pytest.raises(InvalidJob, match=r"^mask_mode: .*no transparency"):
        Inpaint(prompt="a pear", image=OPENAI, mask=PLAIN, mask_mode="alpha")


def test_a_mask_is_turned_with_its_picture() -> None:
    """Both come from one camera or one editor."""
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = PLAIN.copy()
    turned.info["exif"] = exif.tobytes()
    assert halves(Picture.load_mask(turned)) == (0, 255)


def test_a_job_says_what_is_doubtful_about_its_pictures() -> None:
    """The sentences begin with the field, and stand among the job's other warnings."""
    job = Inpaint(prompt="a pear", image=OPENAI.convert("RGB"), mask=OPENAI)
    catalogue = Catalogue.load()
    warning = catalogue.warnings(catalogue.resolve(job))[-1]
    assert warning.startswith("mask is read by its alpha: transparent is repainted")


def test_how_pictures_are_read_is_part_of_the_job(tmp_path: Path) -> None:
    """Written down and read back; colours have one name each."""
    OPENAI.save(tmp_path / "a.png")
    values = {"kind": "inpaint", "prompt": "a pear", "background": "Teal", "mask_mode": "alpha"}
    job = parse_job({**values, "image": str(tmp_path / "a.png"), "mask": str(tmp_path / "a.png")})
    assert isinstance(job, Inpaint)
    assert (job.background, job.mask_mode) == ("#008080", "alpha")
    assert job.image == Picture.load(OPENAI, "#008080")
    assert job.mask == Picture.load_mask(OPENAI, "alpha")
    written = job.model_dump(mode="json")
    assert decode_job(written).model_dump(mode="json") == written
    assert job.image != Picture.load(OPENAI)


def test_a_bulk_reads_a_picture_for_each_way_to_read_it(tmp_path: Path) -> None:
    """Lines may lay one file on several backgrounds; it is read once for each."""
    OPENAI.save(tmp_path / "a.png")
    plan = Plan(Catalogue.load(), PlanOptions(folder=tmp_path))
    values = {"kind": "inpaint", "prompt": "a pear", "image": "a.png", "mask": "a.png"}
    for number, colour in enumerate(("navy", "teal", "navy"), 1):
        plan.add([Line(number, {**values, "background": colour, "mask_mode": "alpha"})])
    loaded = [Picture.load(OPENAI, colour) for colour in ("#000080", "#008080")]
    assert {picture.reference for picture in plan.inputs} == {
        Picture.load_mask(OPENAI, "alpha").reference,
        *(picture.reference for picture in loaded),
    }
    assert not plan.warnings


@pytest.mark.parametrize("colour", ["", "whit", "#fff", "#12345g", "#11223344", "rgb(1,2,3)", 7])
def test_other_backgrounds_are_refused(colour: object) -> None:
    """With what is allowed, and what was probably meant."""
    with pytest.raises(InvalidJob, match=r"^background: not a valid colour.*allowed: #rrggbb"):
        parse_job({"kind": "image-to-image", "prompt": "x", "image": PLAIN, "background": colour})


@pytest.mark.parametrize("field", ["image", "exit_image"])
def test_the_pictures_of_a_zoom_go_the_same_way(field: str) -> None:
    """Its first and its last picture are laid on the background too."""
    job = parse_job(
        {"kind": "zoom-video", "prompt": "x", field: OPENAI, "background": "navy", "key_frames": 3}
    )
    assert getattr(job, field) == Picture.load(OPENAI, "#000080")
