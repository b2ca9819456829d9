"""The tools: what an assistant can do with a farm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import mcp_types
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import BaseModel

from winepress.aio.handle import AsyncJobHandle
from winepress.gateway.mcp.answer import JobAnswer, job_answer
from winepress.gateway.mcp.arguments import (
    Arguments,
    Drawing,
    EditImage,
    GenerateImage,
    OfJob,
    WaitForJob,
    ZoomVideo,
)
from winepress.gateway.mcp.backend import Backend
from winepress.gateway.mcp.given_picture import given_picture
from winepress.gateway.mcp.model_list import ModelListAnswer, list_models, ready_model
from winepress.gateway.mcp.plain_schema import plain_schema
from winepress.gateway.mcp.waiting import Report, wait_until_over
from winepress.handle import JobHandle
from winepress_shared.errors import FarmUnreachable, WinepressError
from winepress_shared.jobs.job import Priority


@dataclass(frozen=True)
class Call:
    """One call of a tool."""

    backend: Backend
    report: Report


@dataclass(frozen=True)
class Tool:
    """One tool; its function takes arguments of the class ``arguments``."""

    name: str
    title: str
    text: str  #: for the language model
    arguments: type[Arguments]
    answer: type[BaseModel]
    run: Callable[[Call, Any], Awaitable[CallToolResult]]
    only_reads: bool = False
    destroys: bool = False

    def listed(self) -> mcp_types.Tool:
        """The entry in ``tools/list``."""
        return mcp_types.Tool(
            name=self.name,
            title=self.title,
            description=self.text,
            input_schema=self.arguments.schema_of_input(),
            output_schema=plain_schema(self.answer),
            annotations=ToolAnnotations(
                read_only_hint=self.only_reads,
                destructive_hint=self.destroys,
                idempotent_hint=self.only_reads or self.destroys,
                open_world_hint=False,
            ),
        )


async def _generate_image(call: Call, arguments: GenerateImage) -> CallToolResult:
    return await _draw(call, arguments, "text-to-image", Priority.INTERACTIVE)


async def _edit_image(call: Call, arguments: EditImage) -> CallToolResult:
    kind = "image-to-image" if arguments.mask is None else "inpaint"
    return await _draw(call, arguments, kind, Priority.INTERACTIVE)


async def _zoom_video(call: Call, arguments: ZoomVideo) -> CallToolResult:
    return await _draw(call, arguments, "zoom-video", Priority.NORMAL)


async def _draw(call: Call, arguments: Drawing, kind: str, priority: Priority) -> CallToolResult:
    """Submit a job and wait a while; the job goes on whoever leaves meanwhile."""
    backend, client = call.backend, call.backend.client
    fields = arguments.fields() | {"kind": kind, "priority": priority.value}
    for name in ("image", "mask"):
        if name in fields:
            fields[name] = await given_picture(backend, name, fields[name])
    if "model" not in fields:
        fields["model"] = await client.in_thread(ready_model, backend, kind, arguments.precision)
    handle = await backend.submit(fields)
    try:
        row = await client.in_thread(handle.status)
        await wait_until_over(AsyncJobHandle(client, handle), row, arguments.wait_s, call.report)
        return await client.in_thread(job_answer, backend, handle, must_succeed=True)
    except FarmUnreachable:
        raise WinepressError(
            f"the farm does not answer now, but job {handle.id} was accepted and goes on; "
            "do not ask for it again, call job_status with this job_id"
        ) from None


async def _job_status(call: Call, arguments: OfJob) -> CallToolResult:
    row = await call.backend.row(arguments.job_id)
    return await _answer(call.backend, row.id)


async def _wait(call: Call, arguments: WaitForJob) -> CallToolResult:
    backend, client = call.backend, call.backend.client
    row = await backend.row(arguments.job_id)
    handle = AsyncJobHandle(client, JobHandle(client.client, row.id))
    await wait_until_over(handle, row, arguments.wait_s, call.report)
    return await _answer(backend, row.id)


async def _cancel(call: Call, arguments: OfJob) -> CallToolResult:
    row = await call.backend.row_to_control(arguments.job_id)
    if not row.state.is_terminal:
        await call.backend.client.cancel(row.id)
    return await _answer(call.backend, row.id)


async def _answer(backend: Backend, job_id: str) -> CallToolResult:
    client = backend.client
    return await client.in_thread(job_answer, backend, JobHandle(client.client, job_id))


async def _list_models(call: Call, _: Arguments) -> CallToolResult:
    return await call.backend.client.in_thread(list_models, call.backend)


_ANSWER = "The answer has small previews, the seeds, and a link to each full picture for the user."
TOOLS: tuple[Tool, ...] = (
    Tool(
        "generate_image",
        "Generate an image",
        f"Draw pictures from a text prompt with Stable Diffusion. {_ANSWER} Drawing takes seconds "
        "to minutes; a job that is not done after wait_s goes on by itself. Only prompt is "
        'required. Example: {"prompt": "a red apple on a wooden table, soft light"}',
        GenerateImage,
        JobAnswer,
        _generate_image,
    ),
    Tool(
        "edit_image",
        "Edit an image",
        "Draw a picture anew from another one and a text prompt, or with a mask only the white "
        f"part of it. {_ANSWER} "
        'Example: {"image": "JOB_ID", "prompt": "the same in snow", "strength": 0.5}',
        EditImage,
        JobAnswer,
        _edit_image,
    ),
    Tool(
        "zoom_video",
        "Make a zoom video",
        "Make a film that zooms endlessly through pictures, each drawn around the one before. It "
        "takes minutes: give wait_s 0 and ask job_status later. The answer has a link to the film. "
        'Example: {"prompt": "a forest of giant mushrooms", "key_frames": 4, "wait_s": 0}',
        ZoomVideo,
        JobAnswer,
        _zoom_video,
    ),
    Tool(
        "job_status",
        "Look at a job",
        "How far a job is, why it waits, when it will end, and what it has made so far.",
        OfJob,
        JobAnswer,
        _job_status,
        only_reads=True,
    ),
    Tool(
        "wait",
        "Wait for a job",
        "The same as job_status, when the job has ended or wait_s seconds have passed.",
        WaitForJob,
        JobAnswer,
        _wait,
        only_reads=True,
    ),
    Tool(
        "cancel",
        "Cancel a job",
        "Stop a job for good; its finished pictures stay. A job that has ended stays as it is.",
        OfJob,
        JobAnswer,
        _cancel,
        destroys=True,
    ),
    Tool(
        "list_models",
        "List the models",
        "The models of this farm: which are ready now, for what, and their sizes and defaults.",
        Arguments,
        ModelListAnswer,
        _list_models,
        only_reads=True,
    ),
)
