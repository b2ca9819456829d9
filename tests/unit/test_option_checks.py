"""Which options each model takes: filled in, refused with the reason, or warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from winepress import Client, TextToImage
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob, UnknownModel, WrongUsage
from winepress_shared.jobs.job import Job, parse_job

CATALOGUE = Catalogue.load()
IMAGE = {"kind": "image-to-image", "image": Image.new("RGB", (512, 512))}
REFINED = {"model": "sdxl-base", "refiner": "sdxl-refiner"}


def resolve(**values: Any) -> Job:
    return CATALOGUE.resolve(parse_job({"prompt": "a fox"} | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"clip_skip": 2},
            r"^clip_skip: vignette supports only its default.*got 2.*allowed: 1, or none",
        ),
        ({"vae": "tiny"}, r"^vae: vignette has no such autoencoder.*allowed: full"),
        ({"model": "sdxl-turbo-tiny", "vae": "full"}, r"^vae: .*allowed: tiny"),
        ({"guidance_rescale": 0.5} | IMAGE, r"^guidance_rescale: image-to-image with vignette"),
        (
            {"guidance_rescale": 0.5, "model": "lcm-ssd-1b", "guidance_scale": 8},
            r"^guidance_rescale: lcm-ssd-1b has no guidance to rescale",
        ),
        ({"guidance_rescale": 0.5, "guidance_scale": 1}, r"no guidance to rescale"),
        ({"refiner": "sdxl-refiner"}, r"^refiner: vignette cannot be refined.*allowed: none"),
        (REFINED | {"refiner": "ssd-1b"}, r"^refiner: .*allowed: sdxl-refiner"),
        (REFINED | {"width": 1056}, r"^width: sdxl-refiner does not support this size.*of 64"),
        (
            REFINED | {"steps": 4, "denoising_end": 0.2},
            r"^denoising_end: splitting 4 steps.*0.25 to 0.75",
        ),
        (REFINED | {"steps": 1}, r"^denoising_end: .*allowed: more than one step"),
        (REFINED | {"steps": 3, "refiner_strength": 0.3}, r"^refiner_strength: 3 steps.*0.334"),
        (
            {"pictures_per_call": 3},
            r"^pictures_per_call: vignette does not support this.*allowed: 1 or 4",
        ),
        ({"pictures_per_call": 4, "model": "sdxl-base"}, r"^pictures_per_call: .*allowed: 1, or"),
        ({"pictures_per_call": 4, "width": 512}, r"^pictures_per_call: .*larger than 256x256"),
        (
            REFINED | {"pictures_per_call": 4},
            r"^pictures_per_call: .*with a refiner cannot share calls",
        ),
    ],
)
def test_an_option_the_model_does_not_take_is_refused(values: dict[str, Any], message: str) -> None:
    """At submit, with field, value, and what would be taken."""
    with pytest.raises(InvalidJob, match=message):
        resolve(**values)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("sd21", {"preview_every": 2}, r"^preview_every: sd21 does not support previews"),
        ("sdxl-refiner", {"vae": "tiny"}, r"^vae: sdxl-refiner has no such.*allowed: full"),
    ],
)
def test_what_needs_a_tiny_autoencoder_is_refused_without_one(
    model: str, values: dict[str, Any], message: str
) -> None:
    """Where a picture is refined, it is the refiner that decodes it."""
    farm = CATALOGUE.plus(CATALOGUE.get(model).model_copy(update={"tiny_vae": None}))
    first = REFINED if model == REFINED["refiner"] else {"model": model}
    with pytest.raises(InvalidJob, match=message):
        farm.resolve(parse_job({"prompt": "a fox"} | first | values))


def test_options_left_open_are_filled_where_the_model_uses_them() -> None:
    """Strength is the model's own; rescaling is asked for only where the pipeline does it."""
    assert [
        getattr(resolve(model=model, **IMAGE), "strength")  # noqa: B009 - of one kind of job
        for model in ("vignette", "sdxl-turbo", "sdxl-refiner")
    ] == [0.6, 0.5, 0.3]
    assert resolve(model="sdxl-turbo", **IMAGE).num_inference_steps == 2
    assert resolve(model="decidiffusion").guidance_rescale == 0.7
    assert resolve(model="decidiffusion", **IMAGE).guidance_rescale == 0
    assert getattr(resolve(**REFINED), "denoising_end") == 0.8  # noqa: B009
    noised = resolve(**REFINED, refiner_strength=0.3)
    assert getattr(noised, "denoising_end") is None  # noqa: B009
    assert resolve(model="sdxl-base", clip_skip=12, vae="tiny", preview_every=3).clip_skip == 12


@pytest.mark.parametrize(
    ("values", "is_warned"),
    [
        ({"model": "sdxl-turbo"}, True),
        ({"model": "vega-rt"}, True),
        ({"model": "vega-rt", "guidance_scale": 1.5}, False),
        ({"model": "lcm-ssd-1b", "guidance_scale": 8}, True),
        ({"guidance_scale": 1}, True),
        ({}, False),
        ({"model": "sdxl-turbo", "negative_prompt": ""}, False),
    ],
)
def test_a_negative_prompt_without_effect_is_warned_of(
    values: dict[str, Any], is_warned: bool
) -> None:
    """It is no mistake; but nobody shall wonder why it does nothing."""
    warnings = CATALOGUE.warnings(resolve(**{"negative_prompt": "blur"} | values))
    assert bool(warnings) is is_warned
    assert all(text.startswith("negative_prompt is ignored: ") for text in warnings)


@pytest.mark.parametrize(
    ("size", "values", "told"),
    [
        ((256, 200), {}, ["image of 256x200 pixels is drawn at 256x192: vignette draws multiples"]),
        ((256, 192), {}, []),
        ((256, 200), {"width": 256, "height": 256}, []),
    ],
)
def test_a_picture_of_a_size_that_cannot_be_drawn_is_warned_of(
    size: tuple[int, int], values: dict[str, Any], told: list[str]
) -> None:
    """Its sides are rounded; whoever names a size gets that one, and knows it."""
    job = resolve(kind="image-to-image", image=Image.new("RGB", size), **values)
    warnings = CATALOGUE.warnings(job)
    assert len(warnings) == len(told)
    assert all(text.startswith(words) for text, words in zip(warnings, told, strict=True))


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ({"n": 16}, 4),
        ({"n": 15}, None),
        ({"n": 16, "width": 128}, 4),
        ({"n": 16, "width": 512}, None),
        ({"n": 16, "preview_every": 5}, None),
        ({"n": 16, "model": "sdxl-base"}, None),
        ({"n": 16, "kind": "image-to-image", "image": Image.new("RGB", (256, 256))}, 4),
        ({"n": 16} | IMAGE, None),
        ({"n": 16, "pictures_per_call": 1}, 1),
        ({"n": 1, "pictures_per_call": 4}, 4),
    ],
)
def test_a_job_of_many_small_pictures_says_how_many_share_a_call(
    values: dict[str, Any], number: int | None
) -> None:
    """Unless it said so already, as one does that was read from a picture."""
    job = resolve(**values)
    assert job.pictures_per_call == number
    assert job.for_unit(0).pictures_per_call == number


def test_a_zoom_shares_no_calls() -> None:
    """Its key frames are drawn one after the other."""
    assert resolve(kind="zoom-video", width=256, height=256).pictures_per_call is None
    with pytest.raises(InvalidJob, match=r"^pictures_per_call: zoom-video jobs cannot share calls"):
        resolve(kind="zoom-video", width=256, height=256, pictures_per_call=4)


def test_a_refiner_must_exist_and_fit(tmp_path: Path) -> None:
    """A catalogue that names another model as one is refused, and so is one in no precision."""
    file = tmp_path / "models.toml"
    file.write_text(_entry("mine", "sdxl-base", refiners=["tiny-sd"]))
    with pytest.raises(WrongUsage, match=r"\[mine\] refiners: .*'tiny-sd'"):
        Catalogue.load(file)
    lean = _entry("lean", "sdxl-refiner", precisions=["fp16"])
    file.write_text(_entry("mine", "sdxl-base", refiners=["lean"]) + lean)
    values = {"prompt": "a fox", "model": "mine", "refiner": "lean"}
    assert Catalogue.load(file).resolve(parse_job(values))
    with pytest.raises(UnknownModel, match="precision"):
        Catalogue.load(file).resolve(parse_job(values | {"precision": "int8-weights"}))


@pytest.mark.parametrize(
    ("model", "autoencoders"),
    [("vignette", ("full",)), ("tiny-sd", ("full", "tiny")), ("sdxl-turbo-tiny", ("tiny",))],
)
def test_a_tiny_autoencoder_is_beside_the_full_one_or_replaces_it(
    model: str, autoencoders: tuple[str, ...]
) -> None:
    """The catalogue says which, and the first is what a job gets that names none."""
    assert CATALOGUE.get(model).autoencoders == autoencoders


def test_nothing_replaces_the_full_autoencoder_without_a_tiny_one(tmp_path: Path) -> None:
    """The model would have none."""
    file = tmp_path / "models.toml"
    file.write_text(_entry("mine", "vignette", tiny_vae_only=True))
    with pytest.raises(WrongUsage, match="tiny_vae_only needs a tiny_vae"):
        Catalogue.load(file)


def _entry(name: str, like: str, **values: Any) -> str:
    """A catalogue's text of a model ``like`` another one, but for ``values``."""
    entry = CATALOGUE.get(like).model_dump(mode="json", exclude_none=True)
    entry |= {"precisions": ["fp16", "int8-weights"], "refiners": []} | values
    for key in ("name", "int8", "int4"):
        del entry[key]
    lines = [f"{key} = {_toml(value)}" for key, value in entry.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def test_a_warning_reaches_who_submits_and_stays_with_the_job(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, held by the handle, and kept in job.json for the worker's result."""
    job = TextToImage(prompt="a", negative_prompt="b", guidance_scale=1)
    handle = client.submit(job)
    assert "negative_prompt is ignored" in caplog.text
    assert len(handle.warnings) == 1
    assert client.archive.read_job(handle.id).warnings == handle.warnings
