"""Jobs as frozen, bounded values, made in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import (
    MAX_SEED,
    ImageToImage,
    Inpaint,
    Job,
    Priority,
    TextToImage,
    parse_job,
)
from winepress_shared.jobs.picture import Picture
from winepress_shared.lane import Precision

REFERENCE = "sha256:" + "0" * 64

#: Field, the values just inside its bounds, the values just outside.
BOUNDS: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("prompt", ("x", "x" * 2000), ("", "x" * 2001, None, 7, b"\xff", "\ud800")),
    ("negative_prompt", ("", "x" * 2000), ("x" * 2001, None)),
    ("model", ("a", "a" * 63, "sdxl-turbo", "0"), ("", "a" * 64, "A", "-a", "a.b", "a\n", "../a")),
    ("precision", tuple(Precision), ("fp32", "", None, "FP16")),
    ("width", (64, 4096, None), (63, 4097, 0, -64, 64.5, float("nan"), "wide")),
    ("height", (64, 4096, None), (63, 4097, 0, -64, 64.5, float("inf"), [])),
    ("num_inference_steps", (1, 500, None), (0, 501, -1, 1.5, 10**400)),
    ("guidance_rescale", (0, 1.0, 0.7, None), (-0.1, 1.1, float("nan"))),
    ("guidance_scale", (0, 50.0, 7.5, None), (-0.1, 50.1, float("nan"), float("inf"))),
    ("seed", (-1, 0, 2**53 - 1, None), (-2, 2**53, 0.5, float("nan"))),
    ("n", (1, 10_000), (0, 10_001, -1, None)),
    ("scheduler", ("ddim", "DPM++ 2M Karras", None), ("", "nonesuch", "ddim karras", 5)),
    ("device", ("CPU", "GPU", "NPU", None), ("cpu", "GPU.1", "AUTO", "")),
    ("priority", tuple(Priority), ("urgent", "", None)),
    ("output_format", ("png", "jpeg", "webp"), ("gif", "PNG", "", None)),
    ("output_quality", (1, 100), (0, 101, None)),
    ("embed_metadata", (True, False), ("perhaps", None)),
    ("clip_skip", (1, 12, None), (0, 13, -2, 1.5)),
    ("vae", ("full", "tiny", None), ("taesd", "", 1)),
    ("preview_every", (1, 500, None), (0, 501, -1, 0.5)),
    ("pictures_per_call", (1, 8, None), (0, 9, -1, 1.5)),
    ("quality", ("exact", "fast", "draft", None), ("", "Fast", "best", 1)),
    ("step_cache", ("off", "light", "strong", False, None), ("", "Light", True, 2)),
    ("step_cache_interval", (2, 8, None), (1, 9, 0, 2.5)),
    ("guidance_start", (0, 0.999, None), (-0.1, 1, float("nan"))),
    ("guidance_stop", (0.001, 1, None), (0, 1.001, float("nan"))),
    ("guidance_min_sigma", (0.001, 1000, None), (0, 1000.1, float("inf"))),
    ("refiner", ("sdxl-refiner", None), ("", "No Name", 5)),
    ("denoising_end", (0.001, 0.999, None), (0, 1, -0.1, float("nan"))),
    ("refiner_strength", (0.001, 1, None), (0, 1.001, float("nan"))),
]
REFINED = ("denoising_end", "refiner_strength")
INSIDE = [(field, value) for field, inside, _ in BOUNDS for value in inside]
OUTSIDE = [(field, value) for field, _, outside in BOUNDS for value in outside]


@pytest.mark.parametrize(("field", "value"), INSIDE)
def test_values_within_the_bounds_are_accepted(field: str, value: object) -> None:
    """Every bound is inclusive."""
    given = {"prompt": "a cat"} | ({"refiner": "sdxl-refiner"} if field in REFINED else {})
    parse_job(given | {field: value})


def test_where_a_refiner_takes_over_is_said_once_and_with_its_name() -> None:
    """Neither without a refiner, nor in both ways."""
    for field in REFINED:
        with pytest.raises(InvalidJob, match=rf"^{field}: .*none is named.*sdxl-refiner"):
            parse_job({"prompt": "a cat", field: 0.5})
    with pytest.raises(
        InvalidJob, match=r"^refiner_strength: cannot be combined with denoising_end"
    ):
        parse_job({"prompt": "a", "refiner": "sdxl-refiner"} | dict.fromkeys(REFINED, 0.5))


@pytest.mark.parametrize(("field", "value"), OUTSIDE)
def test_values_outside_the_bounds_are_refused_by_name(field: str, value: object) -> None:
    """One step over a bound is refused; the error names the field and prints on one line."""
    with pytest.raises(InvalidJob) as caught:
        parse_job({"prompt": "a cat"} | {field: value})
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
    assert str(caught.value).isprintable()


def test_bounds_of_every_field_are_tested() -> None:
    """A new field cannot slip in without a line in the table above."""
    assert {field for field, *_ in BOUNDS} | {"kind"} == set(TextToImage.model_fields)


@pytest.mark.parametrize("kind", [ImageToImage, Inpaint])
@pytest.mark.parametrize(
    ("strength", "is_allowed"),
    [(0.001, True), (1, True), (0, False), (1.001, False), (-1, False), (float("nan"), False)],
)
def test_strength_is_above_zero_and_at_most_one(
    kind: type[Job], strength: float, is_allowed: bool
) -> None:
    """A strength of zero would return the input."""
    pictures = {"image": REFERENCE} | ({"mask": REFERENCE} if kind is Inpaint else {})
    values = {"kind": kind.model_fields["kind"].default, "prompt": "a", **pictures}
    if is_allowed:
        parse_job(values | {"strength": strength})
    else:
        with pytest.raises(InvalidJob, match=r"^strength: "):
            parse_job(values | {"strength": strength})


def test_unknown_field_is_refused_with_the_nearest_known_one() -> None:
    """A typo never silently means "default"."""
    with pytest.raises(InvalidJob, match=r"promt: unknown field. Did you mean 'prompt'\?"):
        TextToImage(prompt="a", promt="b")  # type: ignore[call-arg]
    with pytest.raises(InvalidJob, match="Did you mean 'cfg_scale'"):
        parse_job({"prompt": "a", "cfg_scales": 3})
    with pytest.raises(InvalidJob, match=r"Known: .*kind, prompt, "):
        parse_job({"prompt": "a", "zzzzzz": 3})


def test_a_field_of_other_kinds_is_answered_with_those_kinds() -> None:
    """A strength for a picture from a prompt alone is a mistake about the kind."""
    with pytest.raises(
        InvalidJob, match="Text-to-image jobs do not have it; image-to-image, inpaint jobs do"
    ):
        parse_job({"prompt": "a", "strength": 0.5})
    with pytest.raises(InvalidJob, match="Text-to-image jobs do not have it; zoom-video jobs do"):
        parse_job({"prompt": "a", "fps": 20})


def test_a_decimal_comma_is_answered_with_a_point() -> None:
    """As spreadsheets write numbers in half of Europe."""
    with pytest.raises(InvalidJob, match=r"guidance_scale: .*'7,5'.*decimal point: 7\.5"):
        parse_job({"prompt": "a", "guidance_scale": "7,5"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_inference_steps": 0}, "num_inference_steps: too small (got 0); allowed: at least 1"),
        ({"seed": 2**60}, f"seed: too large (got {2**60}); allowed: at most {2**53 - 1}"),
        ({"negative_prompt": "n" * 3000}, "; allowed: at most 2000 characters"),
        (
            {"model": "../etc"},
            "model: not a valid name (got '../etc'); allowed: the names in `winepress",
        ),
        ({"kind": "text-to-imge"}, "Did you mean 'text-to-image'?"),
        ({"prompt": " \n"}, "prompt: must not be empty"),
    ],
)
def test_what_is_out_of_bounds_is_told_with_its_bound(
    values: dict[str, object], message: str
) -> None:
    """In plain words, without patterns and names of types."""
    with pytest.raises(InvalidJob) as caught:
        parse_job({"prompt": "a"} | values)
    assert message in caught.value.message


def test_missing_field_is_named() -> None:
    """The shortest useful message."""
    with pytest.raises(InvalidJob, match=r"^prompt: is required$"):
        parse_job({})
    with pytest.raises(InvalidJob, match=r"^image: is required$"):
        parse_job({"kind": "image-to-image", "prompt": "a"})


@pytest.mark.parametrize("kind", ["", "text_to_image", None, 3, [], {}])
def test_unknown_kind_is_refused_with_the_known_ones(kind: object) -> None:
    """Also when the kind is not even text."""
    with pytest.raises(InvalidJob, match=r"unknown job kind.*text-to-image, image-to-image"):
        parse_job({"kind": kind, "prompt": "a"})


def test_kind_of_a_class_cannot_be_overridden() -> None:
    """A TextToImage that says it is an inpaint is refused."""
    with pytest.raises(InvalidJob, match="kind"):
        TextToImage(kind="inpaint", prompt="a")  # type: ignore[arg-type]


def test_defaults_are_open_until_resolved() -> None:
    """A plain job leaves every value with a model default to the catalogue."""
    job = TextToImage(prompt="a")
    assert (job.width, job.height, job.num_inference_steps) == (None, None, None)
    assert (job.guidance_scale, job.seed, job.scheduler) == (None, None, None)
    assert (job.n, job.model, job.precision) == (1, "vignette", Precision.FP16)
    inpaint = parse_job({"kind": "inpaint", "prompt": "a", "image": REFERENCE, "mask": REFERENCE})
    assert inpaint.model == "vignette-inpaint"


@pytest.mark.parametrize("field", list(TextToImage.model_fields))
def test_jobs_are_frozen(field: str) -> None:
    """A job that was checked stays as it was checked."""
    job = TextToImage(prompt="a")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(job, field, getattr(job, field))


def test_unit_of_a_job_is_one_picture_with_its_own_seed() -> None:
    """Picture i of a job is the picture of a single job with seed + i."""
    job = TextToImage(prompt="a", seed=7, n=5)
    assert job.unit_count == 5
    assert job.for_unit(3) == TextToImage(prompt="a", seed=10, n=1)
    assert TextToImage(prompt="a", n=5).for_unit(3).seed is None
    assert TextToImage(prompt="a", seed=MAX_SEED).for_unit(0).seed == MAX_SEED


def test_pictures_come_in_a_fixed_order() -> None:
    """Image first, then mask."""
    image, mask = Picture.load(Image.new("RGB", (64, 64))), Picture.load(Image.new("L", (64, 64)))
    assert Inpaint(prompt="a", image=image, mask=mask).pictures == (image, mask)
    assert ImageToImage(prompt="a", image=image).pictures == (image,)
    assert TextToImage(prompt="a").pictures == ()


@pytest.mark.parametrize("size", [(64, 65), (65, 64), (128, 128), (65, 65)])
def test_mask_of_another_size_is_refused_with_both_sizes(size: tuple[int, int]) -> None:
    """The message names the size of the mask and the size it must have."""
    with pytest.raises(InvalidJob, match=r"mask: .*got '(\d+x\d+)'.*allowed: 64x64"):
        parse_job(
            {
                "kind": "inpaint",
                "prompt": "a",
                "image": Image.new("RGB", (64, 64)),
                "mask": Image.new("L", size),
            }
        )


def _path(folder: Path) -> Path:
    Image.new("RGB", (64, 64), "red").save(folder / "a.png")
    return folder / "a.png"


@pytest.mark.parametrize(
    "source",
    [_path, lambda folder: str(_path(folder)), lambda folder: _path(folder).read_bytes()],
    ids=["path", "text", "bytes"],
)
def test_python_callers_may_give_paths_bytes_and_pictures(
    tmp_path: Path, source: Callable[[Path], Any]
) -> None:
    """Whatever the source, the same picture gives the same reference."""
    job = ImageToImage(prompt="a", image=source(tmp_path))
    assert job.image == Picture.load(Image.new("RGB", (64, 64), "red"))
    assert job.image.png


@pytest.mark.parametrize("source", [None, 7, [], {}, True, "sha256:0", "", "no/such/file.png"])
def test_other_sources_of_a_picture_are_refused_by_name(source: object) -> None:
    """The message names the field, whatever was given."""
    with pytest.raises(InvalidJob, match=r"^image: "):
        parse_job({"kind": "image-to-image", "prompt": "a", "image": source})
