"""What finished pictures say about themselves."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import piexif
import piexif.helper
import pytest
from PIL import ExifTags, Image

from winepress_shared import __version__
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import MAX_PROMPT_CHARACTERS, ImageToImage, Inpaint, Job, TextToImage
from winepress_shared.jobs.picture import Picture
from winepress_shared.metadata import PictureFacts, encode, parameters_text, read

FACTS = PictureFacts(
    engine="openvino 2026.4.1",
    device="CPU",
    arithmetic="f32",
    revision="6ce0161689b3853acaa03779ec93eafe",
    scheduler="EulerAncestralDiscreteScheduler",
)
FORMATS = ["png", "jpeg", "webp"]
PROMPTS = [
    "a red apple on a teal background",
    "two lines, with commas: and\na colon\n\nand a gap",
    "яблоко 林檎 🍎 \u202e naïve",
    "Negative prompt: not one\nSteps: 3, Seed: 4",
    'quotes " and \\ and \t tab',
    "the end of a line\r\nof Windows",
    "x" * MAX_PROMPT_CHARACTERS,
    "🍎" * MAX_PROMPT_CHARACTERS,
]


def text_to_image(**changes: Any) -> TextToImage:
    """A resolved job of one unit."""
    values: dict[str, Any] = {
        "prompt": "a red apple on a teal background",
        "width": 64,
        "height": 64,
        "num_inference_steps": 20,
        "guidance_scale": 7.0,
        "seed": 42,
        "scheduler": "Euler a",
    }
    return TextToImage(**(values | changes))


def picture(side: int = 64) -> Image.Image:
    """A picture with some structure."""
    return Image.linear_gradient("L").resize((side, side)).convert("RGB")


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: ascii(prompt[:12]))
def test_a_picture_gives_back_the_job_that_drew_it(output_format: str, prompt: str) -> None:
    """Any prompt, in any format: the job read from the file equals the one that was drawn."""
    job = text_to_image(prompt=prompt, negative_prompt=prompt, output_format=output_format)
    info = read(encode(picture(), job, FACTS))
    assert info.job() == job
    assert (info.format, info.size) == (output_format, (64, 64))
    assert info.parameters is not None
    assert info.details is not None
    assert {name: info.details[name] for name in vars(FACTS)} == vars(FACTS)


@pytest.mark.parametrize("output_format", FORMATS)
def test_jobs_with_pictures_are_ordered_again_by_reference(output_format: str) -> None:
    """Sources and masks are named by their content, so the file itself stays small."""
    source, mask = (Picture.parse(f"sha256:{digit * 64}") for digit in "12")
    shared = text_to_image(output_format=output_format).model_dump(
        exclude={"kind", "model"}, exclude_none=True
    )
    jobs: list[Job] = [
        ImageToImage(**shared, image=source, strength=0.45),
        Inpaint(**shared, image=source, mask=mask),
    ]
    for job in jobs:
        assert read(encode(picture(), job, FACTS)).job() == job


def test_the_parameters_text_is_the_one_galleries_read() -> None:
    """Prompt, negative prompt, and one line of settings in the words of A1111."""
    job = ImageToImage(
        **text_to_image(scheduler="DPM++ 2M Karras").model_dump(exclude={"kind"}, exclude_none=True)
        | {"negative_prompt": "blurry, dark", "image": Picture.parse(f"sha256:{'1' * 64}")}
        | {"strength": 0.6}
    )
    assert parameters_text(job, FACTS, (512, 768)) == (
        "a red apple on a teal background\n"
        "Negative prompt: blurry, dark\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, "
        "Size: 512x768, Model hash: 6ce0161689, Model: vignette, Denoising strength: 0.6, "
        f"Version: winepress {__version__}"
    )
    plain = parameters_text(text_to_image(guidance_scale=7.25), FACTS, (64, 64))
    assert plain.startswith("a red apple on a teal background\nSteps: 20, Sampler: Euler a, ")
    assert "CFG scale: 7.25, " in plain
    assert "Denoising" not in plain


def test_a_setting_with_a_separator_in_it_is_quoted() -> None:
    """Whoever splits the line at commas and colons gets whole values."""
    text = parameters_text(text_to_image(), replace(FACTS, revision='a,b:"c'), (64, 64))
    assert r'Model hash: "a,b:\"c", Model: vignette' in text


@pytest.mark.parametrize("output_format", FORMATS)
def test_other_programs_find_the_text_where_a1111_puts_it(output_format: str) -> None:
    """PNG: the chunk ``parameters``; JPEG and WebP: the Exif user comment, as UTF-16."""
    job = text_to_image(prompt="a café 林檎", output_format=output_format)
    with Image.open(io.BytesIO(encode(picture(), job, FACTS))) as image:
        if output_format == "png":
            text = image.info["parameters"]
        else:
            comment = image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
            assert comment.startswith(b"UNICODE\0")
            text = comment[8:].decode("utf-16-be")
    assert text == parameters_text(job, FACTS, (64, 64))


@pytest.mark.parametrize("output_format", ["jpeg", "webp"])
def test_another_program_reads_the_text_as_that_of_a1111(output_format: str) -> None:
    """By the reader A1111 itself uses: it looks at the type of a value, and wants UNDEFINED."""
    job = text_to_image(prompt="a café 林檎 🍎", output_format=output_format)
    with Image.open(io.BytesIO(encode(picture(), job, FACTS))) as image:
        block = image.info["exif"]
    private = piexif.load(block)["Exif"]
    comment = piexif.helper.UserComment.load(private[piexif.ExifIFD.UserComment])
    assert comment == parameters_text(job, FACTS, (64, 64))
    types = {
        block[at + 2 : at + 4] for tag in (b"\x92\x86", b"\x92\x7c") for at in [block.find(tag)]
    }
    assert types == {b"\0\7"}


def test_text_that_an_earlier_version_typed_as_bytes_is_read() -> None:
    """Pillow wrote it so, and such pictures are on many disks."""
    exif = Image.Exif()
    comment = b"UNICODE\0" + "a cat".encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", exif=exif)
    assert read(buffer.getvalue()).parameters == "a cat"


@pytest.mark.parametrize("output_format", FORMATS)
def test_pictures_are_marked_as_made_by_a_machine(output_format: str) -> None:
    """XMP names the digital source type of IPTC; an inpainted picture is a composite."""
    reference = Picture.parse(f"sha256:{'1' * 64}")
    drawn = text_to_image(output_format=output_format)
    shared = drawn.model_dump(exclude={"kind", "model"}, exclude_none=True)
    inpainted = Inpaint(**shared, image=reference, mask=reference)
    for job, mark in ((drawn, "trained"), (inpainted, "compositeWithTrained")):
        with Image.open(io.BytesIO(encode(picture(), job, FACTS))) as image:
            xmp = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
        address = f"http://cv.iptc.org/newscodes/digitalsourcetype/{mark}AlgorithmicMedia"
        assert f'Iptc4xmpExt:DigitalSourceType="{address}"'.encode() in xmp


@pytest.mark.parametrize("output_format", FORMATS)
def test_embed_metadata_off_leaves_pixels_only(output_format: str) -> None:
    """Neither prompt nor mark nor anything the source picture said is in the file."""
    source = picture()
    source.info |= {"comment": b"private", "exif": b"Exif\0\0private", "xmp": b"private"}
    source.info |= {"icc_profile": b"private", "parameters": "private"}
    job = text_to_image(output_format=output_format, embed_metadata=False)
    data = encode(source, job, FACTS)
    for word in (b"apple", b"private", b"winepress", b"Algorithmic", b"parameters", b"Exif"):
        assert word not in data
    info = read(data)
    assert info.parameters is None
    assert info.details is None
    with pytest.raises(InvalidJob, match="no Winepress metadata"):
        info.job()


@pytest.mark.parametrize("output_format", FORMATS)
def test_the_same_job_gives_the_same_bytes(output_format: str) -> None:
    """Twice, and from an equal job that came another way; another seed gives other bytes."""
    job = text_to_image(output_format=output_format)
    data = encode(picture(), job, FACTS)
    assert encode(picture(), read(data).job(), FACTS) == data
    other = job.model_copy(update={"seed": 43})
    assert encode(picture(), other, FACTS) != data


@pytest.mark.parametrize("output_format", FORMATS)
def test_metadata_does_not_change_the_pixels(output_format: str) -> None:
    """With and without metadata the decoded picture is the same."""
    decoded = []
    for embed in (True, False):
        job = text_to_image(output_format=output_format, embed_metadata=embed)
        with Image.open(io.BytesIO(encode(picture(), job, FACTS))) as image:
            decoded.append(image.tobytes())
    assert decoded[0] == decoded[1]
    if output_format == "png":
        assert decoded[0] == picture().tobytes()


def test_pixels_are_packed_in_the_quickest_way() -> None:
    """Others take up to five times as long; zlib notes its level in the second byte (RFC 1950)."""
    data = encode(picture(), text_to_image(), FACTS)
    first = data.index(b"IDAT") + 4
    assert data[first : first + 2] == b"\x78\x01"


@pytest.mark.parametrize("output_format", FORMATS)
def test_pictures_of_other_programs_are_described(output_format: str) -> None:
    """A file without any of it has a format and a size, and nothing else."""
    buffer = io.BytesIO()
    picture(24).save(buffer, output_format.upper())
    info = read(buffer.getvalue())
    assert (info.format, info.size, info.parameters, info.details) == (
        output_format,
        (24, 24),
        None,
        None,
    )


def test_options_of_a_model_are_in_the_text_and_come_back() -> None:
    """Under A1111's names, and in the job that is read from the file."""
    job = text_to_image(
        model="sdxl-base", clip_skip=2, vae="tiny", refiner="sdxl-refiner", denoising_end=0.8
    )
    info = read(encode(picture(), job, FACTS))
    assert info.job() == job
    wanted = ", Clip skip: 2, VAE: tiny, Refiner: sdxl-refiner, Refiner switch at: 0.8, Version: "
    assert wanted in (info.parameters or "")
    plain = parameters_text(text_to_image(clip_skip=1), FACTS, (64, 64))
    assert "Clip skip" not in plain


def test_what_saved_time_is_in_the_text_and_comes_back() -> None:
    """A cache that is off leaves no word in it."""
    job = text_to_image(
        step_cache="light", guidance_start=0.1, guidance_stop=0.5, guidance_min_sigma=0.3
    )
    info = read(encode(picture(), job, FACTS))
    assert info.job() == job
    wanted = ", Skip Early CFG: 0.1, Guidance stop: 0.5, NGMS: 0.3, NGMS all steps: True, "
    assert f"{wanted}Step cache: light, " in (info.parameters or "")
    plain = parameters_text(text_to_image(step_cache="off"), FACTS, (64, 64))
    assert plain == parameters_text(text_to_image(), FACTS, (64, 64))
