"""The text of A1111 in pictures, read back into the request that drew them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress.job_files.infotext import read_settings, with_infotext
from winepress.job_files.written_job import read_fields
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import parse_job
from winepress_shared.metadata import PictureFacts, parameters_text

_FOREIGN = """a "cat", sitting
on two lines
Negative prompt: blurry: very, bad
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768, \
Model hash: 6ce0161689, Model: "v1, 5", Clip skip: 2, Lora hashes: "a: 1, b: 2", Version: v1.10"""
_FACTS = PictureFacts("engine", "CPU", "f32", "0123456789abcdef", "a scheduler")


def test_the_text_of_another_program_is_read_by_its_names() -> None:
    """Prompts of several lines, quoted values, and both sides of the size."""
    found = read_settings(_FOREIGN)
    assert found["Prompt"] == 'a "cat", sitting\non two lines'
    assert found["Negative prompt"] == "blurry: very, bad"
    assert (found["Sampler"], found["Schedule type"]) == ("DPM++ 2M", "Karras")
    assert (found["Size-1"], found["Size-2"]) == ("512", "768")
    assert (found["Model"], found["Lora hashes"]) == ("v1, 5", "a: 1, b: 2")


@pytest.mark.parametrize("text", ["a cat: sitting, on a mat", "one\ntwo: three, four"])
def test_text_without_settings_is_a_prompt(text: str) -> None:
    """A colon in a prompt makes no setting."""
    assert read_settings(text) == {"Prompt": text, "Negative prompt": ""}


def test_what_a_request_says_itself_counts_more_than_its_infotext() -> None:
    """Under whatever name it says it."""
    fields, warnings = with_infotext(
        {"infotext": _FOREIGN, "num_inference_steps": 5, "size": "64x64", "sampler": "Euler"}
    )
    assert fields["num_inference_steps"] == 5
    assert not {"steps", "width", "height", "sampler_name", "scheduler"} & set(fields)
    assert (fields["seed"], fields["cfg_scale"]) == (42, 7.0)
    assert warnings == ["Lora hashes of the infotext is ignored: it is not supported"]


@given(
    prompt=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
    seed=st.integers(0, 2**53 - 1),
    scheduler=st.sampled_from(["ddim", "euler_a", "dpmpp_2m:karras", "unipc:exponential"]),
)
def test_our_own_text_is_the_same_job_again(prompt: str, seed: int, scheduler: str) -> None:
    """As a job file, too, whatever the prompt contains."""
    values = {"prompt": prompt, "seed": seed, "scheduler": scheduler, "guidance_scale": 2.5}
    values |= {"num_inference_steps": 9, "width": 256, "height": 320, "clip_skip": 2}
    values |= {"step_cache": "strong", "guidance_start": 0.1, "guidance_stop": 0.75}
    values |= {"guidance_min_sigma": 1.5}
    job = parse_job(values)
    text = parameters_text(job, _FACTS, (256, 320))
    fields, warnings = read_fields({"infotext": text})
    assert parse_job(fields) == job
    assert warnings == []


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("Skip Early CFG: 0.2", {"guidance_start": 0.2}),
        ("NGMS: 1.5, NGMS all steps: True", {"guidance_min_sigma": 1.5}),
        ("Step cache interval: 4", {"step_cache_interval": 4}),
    ],
)
def test_settings_that_save_time_are_read(setting: str, field: dict[str, Any]) -> None:
    """Those of A1111 by its names, ours by ours."""
    fields, warnings = with_infotext({"infotext": f"a fox\nSteps: 9, Seed: 1, {setting}"})
    assert field.items() <= fields.items()
    assert warnings == []


def test_a_negative_prompt_left_out_of_every_second_step_is_left_out_of_all() -> None:
    """A1111 has a switch for that, and without it draws another picture."""
    _, warnings = with_infotext({"infotext": "a fox\nSteps: 9, Seed: 1, NGMS: 1.5"})
    assert warnings == ["NGMS of the infotext is taken for all steps, not for every second one"]


@pytest.mark.parametrize("text", [3, "x" * (2**16 + 1), "a\nSteps: many, Seed: 1, Size: 8x8"])
def test_an_infotext_that_is_none_is_refused(text: object) -> None:
    """By its name."""
    with pytest.raises(InvalidJob, match="infotext"):
        with_infotext({"infotext": text})


@pytest.mark.parametrize("part", [" ", ", ", 'a: "', "a", "a ", '"', 'a: "\\', "a:,", "a: ,,"])
def test_no_text_takes_long_to_read(part: str) -> None:
    """Four times the text takes about four times as long, and never sixteen times."""

    def seconds(length: int) -> float:
        text = part * (length // len(part))
        return min(_timed(text) for _ in range(3))

    assert seconds(2**16) < max(0.5, 10 * seconds(2**14))  # short times are noise


def _timed(text: str) -> float:
    began = time.perf_counter()
    read_settings(text)
    return time.perf_counter() - began
