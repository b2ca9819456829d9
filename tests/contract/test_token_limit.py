"""What is said of words that a model does not read, held against what it draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.lane import Precision
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import Pipeline, Request, ignore_steps
from winepress_worker.engines.token_limit import unread_warnings
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

CATALOGUE = Catalogue.load()
LONG = "a red apple on a teal background " * 8


@pytest.fixture(scope="module")
def pipeline(local_models: LocalModels, model_home: Path) -> Iterator[Pipeline]:
    engine = open_engine(WorkerOptions("test"), local_models, model_home)
    loaded = engine.load(engine.prepare("vignette", Precision.FP16))
    yield loaded
    loaded.close()


def job(prompt: str, **values: Any) -> Job:
    return CATALOGUE.resolve(parse_job({"prompt": prompt, **values, "seed": 1, "steps": 2}))


def drawn(pipeline: Pipeline, job: Job) -> bytes:
    (picture,) = pipeline.render(Request(job, (1,)), ignore_steps)
    return picture.tobytes()


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_texts_that_differ_in_unread_words_alone_give_the_same_picture(
    pipeline: Pipeline, field: str
) -> None:
    """What is called unread is unread: the words that are cut are named, the last one too."""
    short: dict[str, Any] = {"prompt": "a red apple", "guidance_scale": 5}
    jobs = [job(**{**short, field: LONG + end}) for end in ("pear", "house")]
    warnings = [pipeline.unread(each) for each in jobs]
    assert all(said.startswith(f"{field} is cut after 32 tokens, ") for (said,) in warnings)
    assert [said.rpartition(" ")[2] for (said,) in warnings] == ["pear", "house"]
    assert drawn(pipeline, jobs[0]) == drawn(pipeline, jobs[1])


def test_unread_words_are_those_that_were_written(pipeline: Pipeline) -> None:
    """Not the tokenizer's spelling of them."""
    (warning,) = pipeline.unread(job(LONG + "(Shiny:1.3), BREAK"))
    assert warning.endswith("background (Shiny:1.3), BREAK")


def test_no_word_is_called_unread_that_is_read(pipeline: Pipeline) -> None:
    """At the limit of 32 tokens, two of which begin and end the text, every word still counts."""
    short, other = (job("apple " * 29 + end) for end in ("pear", "house"))
    assert pipeline.unread(short) == pipeline.unread(other) == ()
    assert drawn(pipeline, short) != drawn(pipeline, other)
    assert len(pipeline.unread(job("apple " * 30 + "pear"))) == 1


def test_a_negative_prompt_that_nothing_is_guided_by_is_not_measured(pipeline: Pipeline) -> None:
    """It is ignored as a whole, and that is said already."""
    assert pipeline.unread(job("a red apple", negative_prompt=LONG, guidance_scale=1)) == ()


class Words:
    """A tokenizer of words."""

    def __init__(self, most: int) -> None:
        self.model_max_length = most

    def __call__(self, text: str, *, truncation: bool) -> Words:
        self.input_ids = ["", *text.split(), ""]
        return self

    def decode(self, tokens: list[str], *, skip_special_tokens: bool) -> str:
        return " ".join(tokens)


def test_each_of_two_encoders_is_heard_and_said_once_where_they_agree() -> None:
    """SDXL has two, mostly of one length."""
    long = job("a red apple on teal")
    assert unread_warnings([Words(5), Words(5)], long) == (
        "prompt is cut after 5 tokens, not read: on teal",
    )
    assert unread_warnings([Words(9), Words(6)], long) == (
        "prompt is cut after 6 tokens, not read: teal",
    )
