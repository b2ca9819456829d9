"""Names other programs use for our fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import ALIASES, canonical_fields
from winepress_shared.jobs.job import ImageToImage, Inpaint, TextToImage, parse_job
from winepress_shared.jobs.model_options import TwoStages

OUR_FIELDS = {
    *(*ImageToImage.model_fields, *Inpaint.model_fields, *TextToImage.model_fields),
}
REFERENCE = "sha256:" + "0" * 64
#: A value each of our fields takes, for jobs under foreign names.
VALUES: dict[str, Any] = {
    "negative_prompt": "blur",
    "width": 256,
    "height": 320,
    "num_inference_steps": 7,
    "guidance_scale": 3.5,
    "seed": 11,
    "n": 3,
    "strength": 0.5,
    "scheduler": "Euler a",
    "model": "vignette",
    "image": REFERENCE,
    "mask": REFERENCE,
    "background": "teal",
    "guidance_rescale": 0.7,
    "clip_skip": 2,
    "refiner": "sdxl-refiner",
    "denoising_end": 0.8,
    "preview_every": 5,
    "guidance_start": 0.2,
    "guidance_min_sigma": 1.5,
}


@pytest.mark.parametrize("foreign", ALIASES)
def test_every_alias_is_accepted_and_means_our_field(foreign: str) -> None:
    """A job under the foreign name is the same job as under ours."""
    ours = ALIASES[foreign]
    inputs = {"image": REFERENCE, "mask": REFERENCE}
    inputs.pop(ours, None)
    common = {"kind": "inpaint", "prompt": "a cat", **inputs}
    if ours in TwoStages.model_fields:
        common = {"prompt": "a cat"} | ({} if ours == "refiner" else {"refiner": "sdxl-refiner"})
    assert parse_job(common | {foreign: VALUES[ours]}) == parse_job(common | {ours: VALUES[ours]})


def test_no_alias_shadows_a_field_of_ours() -> None:
    """A foreign name that is also ours would be renamed away from its own field."""
    assert not set(ALIASES) & OUR_FIELDS
    assert set(ALIASES.values()) <= OUR_FIELDS
    assert set(ALIASES.values()) == set(VALUES)


@pytest.mark.parametrize("foreign", ALIASES)
def test_value_given_twice_is_refused_when_the_two_differ(foreign: str) -> None:
    """Nobody has to guess which of two names wins; equal values are no contradiction."""
    ours = ALIASES[foreign]
    assert canonical_fields({ours: 1, foreign: 1}) == {ours: 1}
    if ours == "scheduler":  # beside a sampler it is the noise schedule, tested below
        return
    with pytest.raises(
        InvalidJob, match=f"two different values.*{ours} and as {foreign}"
    ) as caught:
        canonical_fields({ours: 1, foreign: 2})
    assert caught.value.field == ours


def test_two_aliases_of_one_field_are_refused_when_they_differ() -> None:
    """The contradiction is seen between two foreign names as well."""
    with pytest.raises(InvalidJob, match="as steps and as sample_steps"):
        canonical_fields({"steps": 20, "sample_steps": 30})


@pytest.mark.parametrize("size", ["512x768", "512X768"])
def test_size_becomes_width_and_height(size: str) -> None:
    """OpenAI's ``size`` is understood in both cases."""
    assert canonical_fields({"size": size}) == {"width": 512, "height": 768}


@pytest.mark.parametrize("size", ["auto", None])
def test_automatic_size_is_left_to_the_model(size: str | None) -> None:
    """OpenAI's ``auto`` sets nothing."""
    assert canonical_fields({"size": size}) == {}


@pytest.mark.parametrize(
    "size",
    [
        "",
        "512",
        "512x",
        "x512",
        "512x512x512",
        "-1x512",
        "5.5x6",
        "512 x 512",
        "big",
        512,
        [1, 2],
        "٥١٢x512",
        "512x512\n",
        "9" * 5000 + "x1",
        "100000x1",
    ],
)
def test_anything_else_is_no_size(size: object) -> None:
    """Foreign digits, more digits than Python converts, and half a size are refused."""
    with pytest.raises(InvalidJob, match="not a valid size") as caught:
        canonical_fields({"size": size})
    assert caught.value.field == "size"


def test_size_that_contradicts_the_width_is_refused() -> None:
    """``size`` and ``width`` may both be given only when they agree."""
    assert canonical_fields({"size": "64x96", "width": 64}) == {"width": 64, "height": 96}
    with pytest.raises(InvalidJob, match="width: two different values"):
        canonical_fields({"size": "64x96", "width": 65})


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"batch_size": 4}, 4),
        ({"n_iter": 3}, 3),
        ({"batch_size": 4, "n_iter": 3}, 12),
        ({"batch_size": 10_000, "n_iter": 1}, 10_000),
    ],
)
def test_batches_are_multiplied(fields: dict[str, int], count: int) -> None:
    """A1111 asks for ``batch_size`` × ``n_iter`` pictures."""
    assert canonical_fields(fields) == {"n": count}


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None, 10_001, 10**4200])
@pytest.mark.parametrize("name", ["batch_size", "n_iter"])
def test_batches_out_of_bounds_are_refused(name: str, count: object) -> None:
    """A product of two huge numbers must never be computed, let alone printed."""
    with pytest.raises(InvalidJob, match="allowed: 1 to 10000"):
        canonical_fields({"batch_size": 1, "n_iter": 1} | {name: count})


@pytest.mark.parametrize("name", ["sampler_name", "sampler_index", "sample_method"])
def test_schedule_beside_a_sampler_is_joined_to_it(name: str) -> None:
    """Since A1111 1.9 ``scheduler`` is the noise schedule when a sampler is named too."""
    fields = {"prompt": "a cat", name: "DPM++ 2M", "scheduler": "Karras"}
    assert canonical_fields(fields)["scheduler"] == "DPM++ 2M Karras"
    assert parse_job(fields).scheduler == "dpmpp_2m:karras"
    assert parse_job(fields | {"scheduler": "Automatic"}).scheduler == "dpmpp_2m"


def test_only_image_of_a_list_is_the_image() -> None:
    """A1111 sends its source image in a list."""
    assert canonical_fields({"init_images": ["a"]}) == {"image": "a"}


@pytest.mark.parametrize("empty", [[], (), None])
def test_empty_list_of_images_means_none(empty: object) -> None:
    """A1111 clients send the field with every job."""
    assert canonical_fields({"init_images": empty}) == {}


@pytest.mark.parametrize("images", [["a", "b"], "a", {"a": 1}, 7])
def test_other_lists_of_images_are_refused(images: object) -> None:
    """A second image is not dropped without a word."""
    with pytest.raises(InvalidJob, match="init_images: must be a list of one picture"):
        canonical_fields({"init_images": images})


def test_input_is_left_alone() -> None:
    """The caller's dictionary is not changed."""
    fields = {"steps": 3, "size": "64x64", "init_images": ["a"], "n_iter": 2}
    before = dict(fields)
    canonical_fields(fields)
    assert fields == before


NAMES = st.sampled_from(
    [*ALIASES, *sorted(OUR_FIELDS), "size", "batch_size", "n_iter", "init_images", "odd"]
)
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.integers(), max_size=3)
    | st.sampled_from(["64x96", "auto", "Euler", "karras"])
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_canonical_fields_are_their_own_canonical_fields(fields: dict[str, Any]) -> None:
    """Renaming twice changes nothing, and no value at all raises anything but InvalidJob."""
    try:
        once = canonical_fields(fields)
    except InvalidJob:
        return
    assert repr(canonical_fields(once)) == repr(once)
    assert not set(once) & {*ALIASES, "size", "batch_size", "n_iter", "init_images"}


def test_text_layers_may_be_counted_from_the_end() -> None:
    """ComfyUI's -2 is A1111's 2."""
    assert canonical_fields({"stop_at_clip_layer": -2}) == {"clip_skip": 2}
    with pytest.raises(InvalidJob, match="stop_at_clip_layer"):
        canonical_fields({"stop_at_clip_layer": 2})


def test_words_for_an_option_that_is_off_leave_it_out() -> None:
    """A1111 sends them with every request."""
    off = {"refiner_checkpoint": "None", "refiner_switch_at": 0, "show_progress_every_n_steps": -1}
    assert canonical_fields({"prompt": "a", **off}) == {"prompt": "a"}
