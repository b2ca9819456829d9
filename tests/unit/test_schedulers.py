"""Scheduler names in three vocabularies."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.schedulers import (
    SCHEDULERS,
    SCHEDULES,
    Scheduler,
    canonical_scheduler,
    find_scheduler,
)

#: What users write → our name.
SPELLINGS = {
    # A1111 labels
    "Euler a": "euler_a",
    "Euler": "euler",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm2",
    "DPM2 a": "dpm2_a",
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ 2M Karras": "dpmpp_2m:karras",
    "DPM++ 2M SDE Karras": "dpmpp_2m_sde:karras",
    "DPM++ 2M SDE Exponential": "dpmpp_2m_sde:exponential",
    "DPM++ 2M Automatic": "dpmpp_2m",
    "DEIS": "deis",
    "DDIM": "ddim",
    "LCM": "lcm",
    "PLMS": "pndm",
    "UniPC": "unipc",
    # names of k-diffusion
    "k_euler": "euler",
    "k_euler_a": "euler_a",
    "k_dpmpp_2m": "dpmpp_2m",
    "dpmpp_2m_karras": "dpmpp_2m:karras",
    "euler_ancestral": "euler_a",
    "k_euler_ancestral": "euler_a",
    "dpm_2": "dpm2",
    "dpm_2_ancestral": "dpm2_a",
    "uni_pc": "unipc",
    # classes of diffusers
    "EulerDiscreteScheduler": "euler",
    "EulerAncestralDiscreteScheduler": "euler_a",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
    "DPMSolverMultistep": "dpmpp_2m",
    "UniPCMultistepScheduler": "unipc",
    "PNDMScheduler": "pndm",
    # ours, in any case and with blanks around it
    "dpmpp_2m:karras": "dpmpp_2m:karras",
    "euler:normal": "euler",
    "  DdIm ": "ddim",
}
CANONICAL = [
    entry.name + schedule
    for entry in SCHEDULERS
    for schedule in (
        "",
        *(f":{name}" for name, setting in SCHEDULES.items() if setting and entry.schedules),
    )
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_vocabulary_leads_to_the_canonical_name(spelling: str) -> None:
    """A1111 labels, k-diffusion names and diffusers classes all work."""
    assert canonical_scheduler(spelling) == SPELLINGS[spelling]


@pytest.mark.parametrize("entry", SCHEDULERS, ids=lambda entry: entry.name)
def test_name_label_and_class_of_every_entry_are_understood(entry: Scheduler) -> None:
    """No entry of the table hides behind another one's name or label."""
    assert canonical_scheduler(entry.name) == entry.name
    assert canonical_scheduler(entry.label) == entry.name
    assert find_scheduler(canonical_scheduler(entry.cls))[0].cls == entry.cls


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_name_is_its_own_canonical_name(name: str) -> None:
    """A stored job means the same scheduler when it is submitted again."""
    assert canonical_scheduler(name) == name
    entry, setting = find_scheduler(name)
    base, _, schedule = name.partition(":")
    assert entry.name == base
    assert setting == SCHEDULES[schedule or "normal"]


@given(st.text() | st.sampled_from(list(SPELLINGS)).map(str.upper))
def test_any_text_is_canonical_after_one_pass_or_refused(text: str) -> None:
    """Canonical names are a fixed point; anything unknown is InvalidJob, never another one."""
    try:
        once = canonical_scheduler(text)
    except InvalidJob:
        return
    assert canonical_scheduler(once) == once


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("eular", "euler"), ("dpmpp_2mm", "dpmpp_2m"), ("ddimm", "ddim"), ("unipcc", "unipc")],
)
def test_typo_is_refused_with_the_nearest_name(typo: str, meant: str) -> None:
    """No silent fallback: the message says what was probably meant, and all that is known."""
    with pytest.raises(InvalidJob, match=f"Did you mean '{meant}'") as caught:
        canonical_scheduler(typo)
    assert "euler_a" in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", ":", ":karras", "karras", "normal", "k_", None, 3, []])
def test_text_without_a_sampler_is_refused(text: object) -> None:
    """A schedule alone, nothing at all, or no text is no scheduler."""
    with pytest.raises(InvalidJob):
        canonical_scheduler(text)


@pytest.mark.parametrize("name", [entry.name for entry in SCHEDULERS if not entry.schedules])
def test_schedule_on_a_sampler_without_schedules_is_refused(name: str) -> None:
    """``ddim karras`` would otherwise be drawn as plain ddim, and nobody told."""
    with pytest.raises(InvalidJob, match="has no karras schedule"):
        canonical_scheduler(f"{name} karras")
    assert canonical_scheduler(f"{name} automatic") == name


def test_names_of_the_table_are_unique() -> None:
    """Two entries of one name would make the second one unreachable."""
    names = [entry.name for entry in SCHEDULERS]
    labels = [entry.label for entry in SCHEDULERS]
    assert len(set(names)) == len(names)
    assert len(set(labels)) == len(labels)


def test_built_in_table_is_written_in_canonical_names() -> None:
    """What the file says is what jobs and metadata show."""
    text = resources.files("winepress_shared").joinpath("catalogue.toml").read_text("utf-8")
    for name, entry in tomllib.loads(text).items():
        assert entry["scheduler"] == Catalogue.load().get(name).scheduler
        assert entry["licence"]
