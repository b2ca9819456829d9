"""Jobs decoded from JSON that somebody else wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.aliases import ALIASES
from winepress_shared.jobs.job import (
    ImageToImage,
    Inpaint,
    Job,
    Priority,
    TextToImage,
    decode_job,
    parse_job,
)
from winepress_shared.jobs.picture import Picture

REFERENCE = "sha256:" + "0" * 64

JOBS = [
    TextToImage(prompt="a", n=3, scheduler="Euler a", priority=Priority.BULK, device="NPU"),
    parse_job({"kind": "image-to-image", "prompt": "a", "image": REFERENCE, "strength": 0.3}),
    parse_job({"kind": "inpaint", "prompt": "a", "image": REFERENCE, "mask": REFERENCE}),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.kind)
def test_job_decoded_from_its_own_json_is_the_same_job(job: Job) -> None:
    """What a producer writes is what a worker reads."""
    assert decode_job(json.loads(job.model_dump_json())) == job


def test_pictures_travel_as_references_only() -> None:
    """The bytes of an input picture never enter the JSON of a job."""
    image = Picture.load(Image.new("RGB", (64, 64), "red"))
    job = ImageToImage(prompt="a", image=image)
    assert job.model_dump(mode="json")["image"] == image.reference
    assert "PNG" not in repr(job)


PICTURE_NAMES = ["image", "mask", *(name for name in ALIASES if ALIASES[name] in ("image", "mask"))]


def _file(folder: Path) -> Path:
    Image.new("RGB", (64, 64), "red").save(folder / "a.png")
    return folder / "a.png"


@pytest.mark.parametrize("as_other", [str, Path, Path.read_bytes])
@pytest.mark.parametrize("name", [*PICTURE_NAMES, "init_images"])
def test_job_from_outside_can_never_open_a_file(
    tmp_path: Path, name: str, as_other: Callable[[Path], object]
) -> None:
    """A readable picture of this machine is not read under any name of the field."""
    source = as_other(_file(tmp_path))
    hostile = {"kind": "inpaint", "prompt": "a", "image": REFERENCE, "mask": REFERENCE}
    hostile.pop("mask" if ALIASES.get(name, name) == "mask" else "image")
    with pytest.raises(InvalidJob, match="not a picture reference"):
        decode_job(hostile | {name: [source] if name == "init_images" else source})


@pytest.mark.parametrize("values", [None, [], "job", 7, [["prompt", "a"]]])
def test_job_from_outside_must_be_an_object(values: object) -> None:
    """Any JSON value may arrive."""
    with pytest.raises(InvalidJob, match="not a valid job"):
        decode_job(values)


def test_names_of_fields_must_be_text() -> None:
    """YAML has keys that are no text."""
    with pytest.raises(InvalidJob, match="field names must be text"):
        decode_job({"prompt": "a", 1: 2})
    with pytest.raises(InvalidJob, match="field names must be text"):
        parse_job({"prompt": "a", None: 2})  # type: ignore[dict-item]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [*Inpaint.model_fields, *ALIASES, "size", "batch_size", "n_iter", "init_images"]
)


@pytest.mark.parametrize("name", ["self", "__init__", "model_config", "kinds", "unit_count", ""])
def test_names_of_the_class_itself_are_no_fields(name: str) -> None:
    """JSON from outside cannot reach Python's own names."""
    with pytest.raises(InvalidJob):
        decode_job({"prompt": "a", name: 1})


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "x" * 1000])
def test_hostile_field_name_is_shown_escaped_and_short(name: str) -> None:
    """A field's name is input too."""
    with pytest.raises(InvalidJob, match="unknown field") as caught:
        decode_job({"prompt": "a", name: 1})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@given(st.dictionaries(FIELDS | st.text(), JSON, max_size=6))
def test_any_json_is_a_job_or_refused_with_one_line(values: dict[str, Any]) -> None:
    """No JSON from outside raises anything but InvalidJob, and its message can be printed."""
    try:
        job = decode_job(values | {"prompt": "a"})
    except InvalidJob as error:
        message = str(error)
    else:
        message = job.kind
    assert message.isprintable()
    assert len(message) < 1000


def test_integer_python_refuses_to_print_is_refused_like_any_other() -> None:
    """Integers of more than 4300 digits have no text in Python."""
    with pytest.raises(InvalidJob, match=r"seed: .*an unprintable int"):
        decode_job({"prompt": "a", "seed": 10**5000})


@pytest.mark.parametrize("data", [b"some text", b""])
def test_a_file_that_is_no_picture_is_named_without_the_decoders_own_words(
    tmp_path: Path, data: bytes
) -> None:
    """No memory address of a buffer: the file, and what is allowed."""
    path = tmp_path / "no-picture.png"
    path.write_bytes(data)
    with pytest.raises(InvalidJob) as caught:
        Picture.load(path)
    assert "BytesIO" not in caught.value.message
    assert (caught.value.value, caught.value.allowed is None) == (str(path), False)
