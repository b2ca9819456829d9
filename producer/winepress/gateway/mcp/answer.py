"""What a tool answers about a job: words, small pictures and links, never whole files."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel, Field

from winepress.gateway.mcp.backend import Backend
from winepress.gateway.mcp.thumbnail import thumbnail
from winepress.handle import JobHandle
from winepress_shared.archive import Output, content_type_of
from winepress_shared.state import JobState

MAX_THUMBNAIL_BYTES = 60_000  #: of all thumbnails of one answer together
_MOST_SHOWN = 4  #: thumbnails
_MOST_LISTED = 16  #: outputs, and failures


class OutputAnswer(BaseModel):
    """One finished picture, or the film."""

    picture: str | None = Field(description="for the argument image of other tools")
    link: str = Field(description="where the user opens the file")
    content_type: str
    seed: int
    width: int
    height: int

    @property
    def line(self) -> str:
        """All of it in one line."""
        what = f"Picture {self.picture}: seed {self.seed}" if self.picture else "Film"
        return f"{what}, {self.width}x{self.height}, {self.content_type}, {self.link}"


class JobAnswer(BaseModel):
    """A job, and what it has made so far."""

    job_id: str
    state: JobState
    done: int = Field(description="finished pictures, and the film of a zoom")
    units: int = Field(description="of so many")
    outputs: list[OutputAnswer] = Field(description=f"the film, or the first {_MOST_LISTED}")
    failures: list[str] = Field(description="why pictures are missing")
    warnings: list[str] = Field(description="arguments without effect")


def job_answer(
    backend: Backend, handle: JobHandle, *, must_succeed: bool = False
) -> CallToolResult:
    """The answer about a job as it is now; blocks. Raises NotFound.

    With ``must_succeed`` a job that has ended otherwise is an error.
    """
    row, result = handle.status(), handle.result
    films = [one for one in result.outputs if one.is_film]
    pictures = [one for one in result.outputs if not one.is_film]
    answer = JobAnswer(
        job_id=row.id,
        state=row.state,
        done=row.done,
        units=row.units,
        outputs=[_output(backend, handle, one) for one in (films or pictures)[:_MOST_LISTED]],
        failures=[f"unit {one.unit}: {one.message}" for one in result.failures[:_MOST_LISTED]],
        warnings=list(handle.warnings),
    )
    lines = [handle.explain(), *(one.line for one in answer.outputs)]
    if films and pictures:
        lines.append(f"Its key frames are the pictures {row.id}/0 to {row.id}/{len(pictures) - 1}.")
    elif len(pictures) > _MOST_LISTED:
        lines.append(f"and {len(pictures) - _MOST_LISTED} more")
    lines += [f"Failed: {text}" for text in answer.failures]
    lines += [f"Warning: {text}" for text in answer.warnings]
    if not row.state.is_terminal:
        lines.append(f"The job goes on. Call wait or job_status with job_id {row.id} to see it.")
    content: list[ContentBlock] = [TextContent(type="text", text="\n".join(lines))]
    # The last key frame shows the most of a film.
    content += _thumbnails(handle, pictures[-1:] if films else pictures[:_MOST_SHOWN])
    has_failed = row.state.is_terminal and row.state is not JobState.SUCCEEDED
    return CallToolResult(
        content=content,
        structured_content=answer.model_dump(mode="json"),
        is_error=must_succeed and has_failed,
    )


def _output(backend: Backend, handle: JobHandle, output: Output) -> OutputAnswer:
    return OutputAnswer(
        picture=None if output.is_film else f"{handle.id}/{output.unit}",
        link=backend.link(handle, output),
        content_type=content_type_of(output.key),
        seed=output.seed,
        width=output.width,
        height=output.height,
    )


def _thumbnails(handle: JobHandle, shown: Sequence[Output]) -> list[ImageContent]:
    return [
        ImageContent(
            type="image",
            data=base64.b64encode(
                thumbnail(handle.read(one), MAX_THUMBNAIL_BYTES // len(shown))
            ).decode(),
            mime_type="image/jpeg",
        )
        for one in shown
    ]
