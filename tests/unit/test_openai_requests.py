"""Requests of the OpenAI API in files: null, what means nothing here, and its words for presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.openai_fields import OPENAI
from support.written_files import job_of, jobs_of, plan_of, written

from winepress_shared.errors import InvalidJob
from winepress_shared.items import Item


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.jsonl", "openai.jsonl"])
def test_null_means_not_given(tmp_path: Path, name: str) -> None:
    """Through every door for JSON, for any field, the kind too."""
    nothing = dict.fromkeys(
        ("kind", "n", "seed", "negative_prompt", "precision", "size", "image", "steps", "styles")
    )
    values: dict[str, Any] = {"prompt": "a cat", **nothing}
    if name.startswith("openai"):
        values = {"custom_id": None, "method": None, "body": values | {"quality": None}}
    path = written(tmp_path, name, values)
    job = jobs_of(path)[0] if name.endswith("jsonl") else job_of(path)
    assert (job.prompt, job.n, job.kind) == ("a cat", 1, "text-to-image")


@pytest.mark.parametrize("field", OPENAI)
def test_a_field_of_openai_that_means_nothing_here_is_warned_of(tmp_path: Path, field: str) -> None:
    """Once for the file, and in the result of each picture; other values are refused by name."""
    body = {"model": "vignette", "prompt": "a cat", "size": "auto", "output_compression": 80}
    line = {"custom_id": "one", "method": "POST", "url": "/v1/images/generations"}
    plan = plan_of(written(tmp_path, "a.jsonl", line | {"body": body | {field: OPENAI[field]}}))
    (warning,) = plan.warnings
    assert warning.startswith(f"{field} is ignored: ")
    (group,) = plan.groups.values()
    item = Item.decode(group.items[0])
    assert item.warnings == (warning,)
    assert item.job.output_quality == 80
    wrong = 3.5 if field in ("user", "safety_identifier", "complexity") else "burgundy-ish"
    with pytest.raises(InvalidJob, match=rf"line 1, column \d+ \({field}\)"):
        plan_of(written(tmp_path, "b.jsonl", line | {"body": body | {field: wrong}}))


@pytest.mark.parametrize(
    ("word", "preset"),
    [
        *[("auto", None), ("standard", None), ("low", "draft"), ("medium", "fast")],
        *[("high", "exact"), ("hd", "exact"), ("exact", "exact"), ("fast", "fast")],
    ],
)
def test_the_quality_of_openai_is_a_preset(tmp_path: Path, word: str, preset: str | None) -> None:
    """In its own words as in ours; nothing is said, for nothing is ignored."""
    plan = plan_of(written(tmp_path, "a.jsonl", {"body": {"prompt": "a cat", "quality": word}}))
    (group,) = plan.groups.values()
    item = Item.decode(group.items[0])
    assert item.job.quality == (preset or "exact")  # a farm without settings of its own
    assert item.warnings == ()


@pytest.mark.parametrize(
    "line",
    [
        {"body": {"prompt": "a", "qualty": "auto"}},
        {"body": {"prompt": "a"}, "priority": "high"},
        {"body": {"prompt": "a", "markup": "file-1"}},
    ],
)
def test_a_field_that_openai_does_not_know_either_is_refused(
    tmp_path: Path, line: dict[str, Any]
) -> None:
    """Beside the body as in it."""
    with pytest.raises(InvalidJob, match=r"line 1, column \d+ \((qualty|priority|markup)\)"):
        plan_of(written(tmp_path, "a.jsonl", line))
