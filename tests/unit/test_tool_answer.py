"""What a tool answers about a job, whatever the job has made."""

from __future__ import annotations

import base64
import io
import random
from typing import cast

from mcp_types import CallToolResult, ImageContent, TextContent
from PIL import Image

from winepress.gateway.mcp.answer import MAX_THUMBNAIL_BYTES, job_answer
from winepress.gateway.mcp.backend import Backend
from winepress.handle import JobHandle
from winepress_shared.archive import Failure, Output, Result
from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.records import JobRow
from winepress_shared.state import JobState


class _Job:
    """A job that has made noise, the worst that a JPEG can hold; a handle and a backend."""

    warnings = ("vae is ignored",)
    id = "j1"

    def __init__(self, state: JobState, pictures: int, *, film: bool = False) -> None:
        kind, units = "zoom-video" if film else "text-to-image", pictures + film
        self.row = JobRow(
            self.id,
            state,
            kind,
            "vignette.fp16",
            "ann",
            Priority.NORMAL,
            units,
            done=units,
            failed=0,
            created=0.0,
            started=None,
            finished=None,
            expires=None,
            paused=False,
            reason="",
        )
        noise = random.Random(7).randbytes(1024 * 1024 * 3)
        Image.frombytes("RGB", (1024, 1024), noise).save(buffer := io.BytesIO(), "PNG")
        self._file = buffer.getvalue()
        outputs = [self._output(unit, "png") for unit in range(pictures)]
        outputs += [self._output(pictures, "mp4")] if film else []
        self.result = Result(self.id, tuple(outputs), (Failure(99, "FailForGood", "too dark"),))

    def _output(self, unit: int, suffix: str) -> Output:
        key = f"jobs/{self.id}/out/{unit:06}.{suffix}"
        frames = 20 if suffix == "mp4" else 0
        return Output(unit, key, "0" * 64, 9, unit, 1024, 1024, "CPU", "w", 0.1, frames=frames)

    def status(self) -> JobRow:
        return self.row

    def explain(self) -> str:
        return f"Job {self.id} is {self.row.state.value}."

    def read(self, output: Output) -> bytes:
        return self._file

    def link(self, handle: JobHandle, output: Output) -> str:
        return f"http://farm/{output.key}"

    def answer(self) -> CallToolResult:
        return job_answer(cast("Backend", self), cast("JobHandle", self))


def _text(result: CallToolResult) -> str:
    (text,) = (one.text for one in result.content if isinstance(one, TextContent))
    return text


def test_previews_of_many_pictures_are_small_together() -> None:
    """Four at most, of 60 KB together; links to sixteen, and the number of the others."""
    result = _Job(JobState.SUCCEEDED, 1000).answer()
    small = [base64.b64decode(one.data) for one in result.content if isinstance(one, ImageContent)]
    assert len(small) == 4
    assert sum(map(len, small)) <= MAX_THUMBNAIL_BYTES
    assert len((result.structured_content or {})["outputs"]) == 16
    assert "and 984 more" in _text(result)
    assert "Failed: unit 99: too dark" in _text(result)
    assert "Warning: vae is ignored" in _text(result)


def test_a_film_is_told_without_the_links_of_its_key_frames() -> None:
    """Their names are enough to go on with; the widest one is shown."""
    result = _Job(JobState.SUCCEEDED, 5, film=True).answer()
    (film,) = (result.structured_content or {})["outputs"]
    assert (film["picture"], film["content_type"]) == (None, "video/mp4")
    assert "Its key frames are the pictures j1/0 to j1/4." in _text(result)
    assert [one.type for one in result.content] == ["text", "image"]


def test_a_job_that_is_not_over_says_how_to_hear_the_rest() -> None:
    """With the pictures that are finished."""
    result = _Job(JobState.RUNNING, 1).answer()
    assert "Call wait or job_status with job_id j1" in _text(result)
    assert [one.type for one in result.content] == ["text", "image"]
