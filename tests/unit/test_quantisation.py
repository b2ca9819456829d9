"""The recipes by which models are made smaller: what a catalogue may say, and what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_shared.quantisation import Int4Recipe, Int8Recipe
from winepress_worker.models.recipe import prompts, recipe

CATALOGUE = Catalogue.load()
SD2 = ("sd21-base", "sd21", "sd2-inpaint")
FEW_STEPS = ("lcm-ssd-1b", "vega-rt", "sdxl-turbo", "sdxl-turbo-tiny")


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_every_model_exists_in_every_precision(name: str) -> None:
    """With a recipe each, no two precisions the same."""
    model = CATALOGUE.get(name)
    assert set(model.precisions) == set(Precision)
    recipes = [tuple(recipe(model, precision).items()) for precision in Precision]
    assert len(set(recipes)) == len(recipes)


def test_families_have_the_recipes_they_were_published_with() -> None:
    """Hybrid for Stable Diffusion 2; full, three layers kept, for models of few steps."""
    assert {CATALOGUE.get(name).int8.method for name in SD2} == {"hybrid"}  # type: ignore[union-attr]
    for name in FEW_STEPS:
        int8 = CATALOGUE.get(name).int8
        assert int8
        assert int8.method == "full"
        assert "up_blocks.2.resnets.2.conv_shortcut" in int8.keep


def test_model_is_prepared_again_when_its_recipe_changes() -> None:
    """Also when it is the steps or the guidance it is calibrated at."""
    model = CATALOGUE.get("vignette")
    for change in ({"num_inference_steps": 5}, {"guidance_scale": 1.0}):
        other = model.model_copy(update=change)
        assert recipe(other, Precision.INT8) != recipe(model, Precision.INT8)
        assert recipe(other, Precision.FP16) == recipe(model, Precision.FP16)


@pytest.mark.parametrize("name", CATALOGUE.names)
def test_prompts_are_many_and_all_different(name: str) -> None:
    """Enough to calibrate by, with some left over to compare by."""
    model = CATALOGUE.get(name)
    words = prompts(model)
    assert model.int8
    assert len(words) > model.int8.pictures + 100
    assert len(set(words)) == len(words)
    assert all(word == word.strip() and 3 <= len(word) <= 77 for word in words)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "both"},
        {"method": None},
        {"pictures": 0},
        {"pictures": 10**6},
        {"samples": 0},
        {"keep": ["conv in"]},
        {"keep": [".*"]},
        {"keep": ["x" * 201]},
        {"prompts": "../../etc/passwd"},
        {"strength": 0},
        {"strength": 1.1},
        {"presets": "mixed"},
    ],
)
def test_recipe_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    """Numbers are bounded, names are those of layers and lists that exist, typos are none."""
    good: dict[str, Any] = {"method": "full", "pictures": 3}
    Int8Recipe(**good)
    with pytest.raises(ValidationError, match=next(iter(change))):
        Int8Recipe(**(good | change))


@pytest.mark.parametrize("change", [{"group_size": 8}, {"ratio": 0}, {"ratio": 1.5}, {"bits": 4}])
def test_four_bit_recipe_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    """As above."""
    with pytest.raises(ValidationError, match=next(iter(change))):
        Int4Recipe(**change)
