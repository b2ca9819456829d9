"""Which jobs have in common what one call of a pipeline needs."""

from __future__ import annotations

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Batch, Job, parse_job
from winepress_shared.jobs.shared_call import are_alike, kind_of_call
from winepress_shared.jobs.zoom import ZoomVideo

CATALOGUE = Catalogue.load()


def job(**values: object) -> Job:
    return CATALOGUE.resolve(parse_job({"prompt": "a red apple", "seed": 1, **values}))


@pytest.mark.parametrize(
    "own",
    [
        {"prompt": "a pear"},
        {"seed": 7},
        {"n": 3},
        {"priority": "bulk"},
        {"output_format": "jpeg", "output_quality": 40},
        {"embed_metadata": False},
    ],
    ids=lambda own: next(iter(own)),
)
def test_what_each_picture_has_for_itself_keeps_no_jobs_apart(own: dict[str, object]) -> None:
    """Texts, seeds, and what becomes of a picture after it is drawn."""
    assert kind_of_call(job(**own)) == kind_of_call(job())
    assert are_alike(job().for_unit(0), job(**own).for_unit(0))


@pytest.mark.parametrize(
    "other",
    [
        {"width": 192},
        {"num_inference_steps": 7},
        {"guidance_scale": 3.0},
        {"scheduler": "euler"},
        {"negative_prompt": "blurred"},
        {"precision": "int8-weights"},
        {"pictures_per_call": 4},
        {"quality": "fast"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_whatever_decides_what_is_computed_keeps_jobs_apart(other: dict[str, object]) -> None:
    """The ledger compares the digests, the worker the jobs: both say the same."""
    assert kind_of_call(job(**other)) != kind_of_call(job())
    assert not are_alike(job(), job(**other))


def test_jobs_that_share_no_calls_have_nothing_in_common() -> None:
    """Previews show one job; a refiner, a zoom and a batch are drawn otherwise."""
    zoom = ZoomVideo(prompt="a valley", key_frames=2)
    lone = [job(preview_every=2), Batch(n=3, model="vignette"), zoom]
    assert [kind_of_call(one) for one in lone] == [None] * 3
