"""Lanes: their names as text, read and written."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.errors import InvalidJob
from winepress_shared.lane import FILM, Lane, Precision, device_class, model_key

MODELS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
LANES = st.builds(
    Lane, MODELS, st.sampled_from(Precision), st.sampled_from([None, "CPU", "GPU", "NPU"])
)


@given(LANES)
def test_lane_read_from_its_own_text_is_the_same_lane(lane: Lane) -> None:
    """Writing and reading a lane loses nothing."""
    assert Lane.parse(str(lane)) == lane


@given(st.text())
def test_text_is_a_lane_or_refused_with_a_sentence(text: str) -> None:
    """Whatever the text, parsing gives a lane with that very name, or InvalidJob."""
    with contextlib.suppress(InvalidJob):
        assert str(Lane.parse(text)) == text


@given(LANES)
def test_the_model_key_and_the_device_of_a_written_lane_are_those_of_the_lane(lane: Lane) -> None:
    """Workers compare lanes that come as text."""
    assert model_key(str(lane)) == lane.model_key
    assert device_class(str(lane)) == (lane.device or "")
    assert model_key(FILM) == Lane.parse(FILM).model_key == FILM


def test_names_are_the_documented_ones() -> None:
    """A lane's name is a queue's name, which other programs rely on."""
    assert str(Lane("vignette", Precision.INT8)) == "vignette.int8"
    assert str(Lane("sdxl-turbo", Precision.FP16, "NPU")) == "sdxl-turbo.fp16@NPU"
    assert str(Lane.parse("film")) == FILM == "film"
    with pytest.raises(InvalidJob):
        Lane.parse("film.fp16")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vignette",
        "vignette.",
        ".fp16",
        "vignette.fp32",
        "vignette.fp16@",
        "vignette.fp16@TPU",
        "vignette.fp16@GPU.1",
        "vignette.fp16@CPU@CPU",
        "Vignette.fp16",
        "-vignette.fp16",
        "vignette.fp16\n",
        "vignette\n.fp16",
        "a" * 64 + ".fp16",
        "vig nette.fp16",
        "vignette.FP16",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """No name that could be mistaken for another lane, or break a key of Redis."""
    with pytest.raises(InvalidJob):
        Lane.parse(text)


def test_longest_model_name_is_63_characters() -> None:
    """The bound is inclusive."""
    assert Lane.parse("a" * 63 + ".fp16").model == "a" * 63


def test_lane_is_frozen() -> None:
    """A lane is a key of dictionaries and cannot change under them."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Lane("a", Precision.FP16).model = "b"  # type: ignore[misc]
