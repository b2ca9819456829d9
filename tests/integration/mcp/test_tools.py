"""The tools for assistants, called by the SDK's own client in memory."""

from __future__ import annotations

import asyncio
import base64
import io
from pathlib import Path

import pytest
from integration.mcp.conftest import Connect
from mcp.client.client import ConnectMode
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ImageContent, TextContent
from PIL import Image
from support.manual_worker import LANE, ManualWorker

from winepress import Client, ImageToImage

_TOOLS = ["generate_image", "edit_image", "zoom_video", "job_status", "wait", "cancel"]


def text_of(result: CallToolResult) -> str:
    """The words of an answer."""
    return "\n".join(one.text for one in result.content if isinstance(one, TextContent))


def png(side: int = 64) -> str:
    """A picture in base64."""
    Image.new("RGB", (side, side), "red").save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_say_what_they_take(in_memory: Connect, mode: ConnectMode) -> None:
    """Bounds, defaults and closed choices are in plain schemas that need no look-up."""

    async def run() -> None:
        async with in_memory(mode) as assistant:
            tools = {tool.name: tool for tool in (await assistant.list_tools()).tools}
        assert list(tools) == [*_TOOLS, "list_models"]
        takes = tools["generate_image"].input_schema
        assert takes["required"] == ["prompt"]
        assert "null" not in str(takes)
        width = takes["properties"]["width"]
        assert (width["type"], width["minimum"], width["maximum"]) == ("integer", 64, 4096)
        assert "int8" in takes["properties"]["precision"]["enum"]
        assert takes["properties"]["wait_s"]["default"] == 45
        for tool in tools.values():
            assert "$ref" not in str(tool.input_schema)
            assert "$ref" not in str(tool.output_schema)
            assert all("description" in one for one in tool.input_schema["properties"].values())

    asyncio.run(run())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_picture_is_answered_small_with_its_seed_and_a_link(
    in_memory: Connect, working: ManualWorker, client: Client, mode: ConnectMode
) -> None:
    """And its progress is told on the way, each time of more."""
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)
        assert total == 100
        assert message

    async def run() -> CallToolResult:
        async with in_memory(mode) as assistant:
            return await assistant.call_tool(
                "generate_image", {"prompt": "an apple", "n": 3}, progress_callback=hear
            )

    result = asyncio.run(run())
    assert not result.is_error, text_of(result)
    answer = result.structured_content or {}
    assert (answer["state"], answer["done"], answer["units"]) == ("succeeded", 3, 3)
    assert client.get(answer["job_id"]).status().priority == "interactive"
    assert [one["seed"] for one in answer["outputs"]] == [0, 1, 2]
    for one in answer["outputs"]:
        assert one["link"] in text_of(result)
        assert Path(one["link"].removeprefix("file://")).read_bytes().startswith(b"\x89PNG")
    pictures = [one for one in result.content if isinstance(one, ImageContent)]
    assert len(pictures) == 3
    for picture in pictures:
        opened = Image.open(io.BytesIO(base64.b64decode(picture.data)))
        assert (opened.format, picture.mime_type) == ("JPEG", "image/jpeg")
    assert told == sorted(set(told))


def test_a_job_that_takes_longer_is_told_of_later(
    in_memory: Connect, manual_worker: ManualWorker
) -> None:
    """The call answers after `wait_s`; `wait` and `job_status` tell the rest."""
    manual_worker.live(LANE)

    async def run() -> None:
        async with in_memory() as assistant:
            begun = await assistant.call_tool("generate_image", {"prompt": "x", "wait_s": 0})
            job_id = (begun.structured_content or {})["job_id"]
            assert f"Call wait or job_status with job_id {job_id}" in text_of(begun)
            assert (begun.structured_content or {})["state"] == "queued"
            waiting = await assistant.call_tool("wait", {"job_id": job_id, "wait_s": 0.1})
            assert (waiting.structured_content or {})["state"] == "queued"
            manual_worker.work(LANE)
            waited = await assistant.call_tool("wait", {"job_id": job_id})
            looked = await assistant.call_tool("job_status", {"job_id": job_id})
            assert waited == looked
            assert (looked.structured_content or {})["state"] == "succeeded"

    asyncio.run(run())


def test_pictures_of_earlier_jobs_are_edited_without_being_sent(
    in_memory: Connect, working: ManualWorker, client: Client
) -> None:
    """By the id that an answer tells; the mask may be embedded."""

    async def run() -> None:
        async with in_memory() as assistant:
            first = await assistant.call_tool("generate_image", {"prompt": "x", "n": 2})
            picture = (first.structured_content or {})["outputs"][1]["picture"]
            edited = await assistant.call_tool(
                "edit_image", {"prompt": "in snow", "image": picture, "strength": 0.5}
            )
            assert not edited.is_error, text_of(edited)
            job = client.archive.read_job((edited.structured_content or {})["job_id"]).job
            assert isinstance(job, ImageToImage)
            assert (job.width, job.strength) == (64, 0.5)
            masked = await assistant.call_tool(
                "edit_image",
                {"prompt": "x", "image": f"data:image/png;base64,{png()}", "mask": png()},
            )
            assert not masked.is_error, text_of(masked)
            job = client.archive.read_job((masked.structured_content or {})["job_id"]).job
            assert job.kind == "inpaint"

    asyncio.run(run())


def test_a_zoom_goes_on_in_the_background(in_memory: Connect, client: Client) -> None:
    """And is canceled by its id; a second `cancel` finds it canceled."""

    async def run() -> None:
        async with in_memory() as assistant:
            asked = {"prompts": {"0": "a door", "1": "a hall"}, "key_frames": 3, "wait_s": 0}
            begun = await assistant.call_tool("zoom_video", {"prompt": "a hall", **asked})
            assert not begun.is_error, text_of(begun)
            job_id = (begun.structured_content or {})["job_id"]
            assert (begun.structured_content or {})["units"] == 4
            for _ in range(2):
                canceled = await assistant.call_tool("cancel", {"job_id": job_id})
                assert not canceled.is_error
                assert (canceled.structured_content or {})["state"] == "canceled"
            assert client.archive.read_job(job_id).job.kind == "zoom-video"

    asyncio.run(run())


def test_a_failed_job_is_an_error_that_says_why(
    in_memory: Connect, manual_worker: ManualWorker
) -> None:
    """Of the call that asked for the picture; looking at it later is none."""
    manual_worker.live(LANE)

    async def run() -> None:
        async with in_memory() as assistant:
            call = asyncio.create_task(assistant.call_tool("generate_image", {"prompt": "x"}))
            await asyncio.to_thread(manual_worker.await_ticket, LANE)
            await asyncio.to_thread(manual_worker.work, LANE, 1, [0])
            result = await call
            assert result.is_error
            assert "told to" in text_of(result)
            job_id = (result.structured_content or {})["job_id"]
            assert not (await assistant.call_tool("job_status", {"job_id": job_id})).is_error

    asyncio.run(run())


def test_models_that_are_ready_come_first(in_memory: Connect, manual_worker: ManualWorker) -> None:
    """And are what is drawn with if none is named."""
    manual_worker.live("tiny-sd.fp16")

    async def run() -> None:
        async with in_memory() as assistant:
            listed = await assistant.call_tool("list_models")
            models = (listed.structured_content or {})["models"]
            assert (models[0]["name"], models[0]["ready"]) == ("tiny-sd", ["fp16"])
            assert all(not one["ready"] for one in models[1:])
            assert "tiny-sd" in text_of(listed).splitlines()[0]
            begun = await assistant.call_tool("generate_image", {"prompt": "x", "wait_s": 0})
            assert "lane tiny-sd.fp16" in text_of(begun)

    asyncio.run(run())


def test_a_call_that_is_given_up_ends_its_wait_alone(
    in_memory: Connect, manual_worker: ManualWorker, client: Client
) -> None:
    """The job goes on, whoever has stopped listening."""
    manual_worker.live(LANE)

    async def run() -> None:
        async with in_memory("legacy") as assistant:
            call = asyncio.create_task(assistant.call_tool("generate_image", {"prompt": "x"}))
            await asyncio.to_thread(manual_worker.await_ticket, LANE)
            call.cancel()  # the SDK sends notifications/cancelled
            with pytest.raises(asyncio.CancelledError):
                await call
            assert len((await assistant.list_tools()).tools) == len(_TOOLS) + 1

    asyncio.run(run())
    (row,) = client.list()
    assert row.state == "queued"
    manual_worker.work(LANE)
    assert client.get(row.id).status().state == "succeeded"


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("generate_image", {}, "prompt: is required"),
        ("generate_image", {"prompt": " "}, "prompt: must not be empty"),
        ("generate_image", {"prompt": "x" * 3000}, "prompt: too long"),
        ("generate_image", {"prompt": "x", "width": 10**30}, "width: too large"),
        ("generate_image", {"prompt": "x", "width": 65}, "width: "),
        ("generate_image", {"prompt": "x", "n": 17}, "n: too large"),
        ("generate_image", {"prompt": "x", "model": "../../etc"}, "model: not a valid name"),
        ("generate_image", {"prompt": "x", "model": "dall-e"}, "model: unknown model"),
        ("generate_image", {"prompt": "x", "scheduler": "best"}, "scheduler: unknown scheduler"),
        ("generate_image", {"prompt": "x", "wait_s": 1e9}, "wait_s: too large"),
        ("generate_image", {"prompt": "x", "user": "root"}, "unknown argument (got 'user')"),
        ("generate_image", {"prompt": {"a": 1}}, "prompt: "),
        ("edit_image", {"prompt": "x", "image": "/etc/passwd"}, "image: not a picture"),
        ("edit_image", {"prompt": "x", "image": "http://10.0.0.1/a.png"}, "image: not a picture"),
        ("edit_image", {"prompt": "x", "image": "file:///etc/passwd"}, "image: not a picture"),
        ("edit_image", {"prompt": "x", "image": "data:image/png;base64,!"}, "image: "),
        ("edit_image", {"prompt": "x", "image": "j" + "0" * 20}, "no such job"),
        ("zoom_video", {"prompt": "x", "key_frames": 501}, "key_frames: too large"),
        ("zoom_video", {"prompt": "x", "prompts": {"b": "y"}}, "prompts: "),
        ("zoom_video", {"prompt": "x", "film_format": "exe"}, "film_format: "),
        ("job_status", {"job_id": "../x"}, "job_id: not the id of a job"),
        ("wait", {"job_id": "j" + "0" * 20}, "no such job"),
        ("cancel", {"job_id": "j" + "0" * 20}, "no such job"),
        ("list_models", {"all": True}, "unknown argument (got 'all'); allowed: none"),
    ],
)
def test_bad_arguments_are_told_in_one_line(
    in_memory: Connect, client: Client, tool: str, arguments: dict[str, object], told: str
) -> None:
    """As an error of the tool, which the model can read and mend; nothing is queued."""

    async def run() -> CallToolResult:
        async with in_memory() as assistant:
            return await assistant.call_tool(tool, arguments)

    result = asyncio.run(run())
    assert result.is_error
    assert told in text_of(result)
    assert "\n" not in text_of(result)
    assert len(text_of(result)) < 600
    assert client.list() == []


def test_an_unknown_tool_is_named_with_those_there_are(in_memory: Connect) -> None:
    """An error of the protocol, as MCP wants it."""

    async def run() -> None:
        async with in_memory() as assistant:
            with pytest.raises(MCPError, match="generate_image"):
                await assistant.call_tool("draw", {})

    asyncio.run(run())


def test_files_are_saved_below_the_folder_that_was_named(
    in_memory: Connect, working: ManualWorker, tmp_path: Path
) -> None:
    """And their paths are told instead of links; a second look writes nothing anew."""

    async def run() -> None:
        async with in_memory(out=tmp_path / "new" / "pictures") as assistant:
            drawn = await assistant.call_tool("generate_image", {"prompt": "x"})
            (output,) = (drawn.structured_content or {})["outputs"]
            path = Path(output["link"])
            assert path.parent == tmp_path / "new" / "pictures"
            assert path.read_bytes().startswith(b"\x89PNG")
            job_id = (drawn.structured_content or {})["job_id"]
            before = path.stat().st_mtime_ns
            await assistant.call_tool("job_status", {"job_id": job_id})
            assert path.stat().st_mtime_ns == before

    asyncio.run(run())
