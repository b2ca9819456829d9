"""``winepress mcp``: the tools over stdin and stdout, as an assistant starts them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import pytest
from integration.mcp.test_tools import text_of
from mcp.client.client import Client as Assistant
from mcp.client.client import ConnectMode
from mcp.client.stdio import StdioServerParameters
from support.command_line import WINEPRESS, environment
from support.manual_worker import ManualWorker

from winepress_shared.settings import Settings

_PATIENCE_S = 60


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_assistant_draws_over_stdio(
    farm_settings: Settings, working: ManualWorker, tmp_path: Path, mode: ConnectMode
) -> None:
    """The picture is a file in the folder of ``--out``."""
    server = StdioServerParameters(
        command=str(WINEPRESS), args=["mcp", "--out", str(tmp_path)], env=environment(farm_settings)
    )

    async def run() -> str:
        async with Assistant(server, mode=mode) as assistant:
            drawn = await assistant.call_tool("generate_image", {"prompt": "x"})
            assert not drawn.is_error, text_of(drawn)
            link: str = (drawn.structured_content or {})["outputs"][0]["link"]
            return link

    path = Path(asyncio.run(run()))
    assert path.parent == tmp_path
    assert path.read_bytes().startswith(b"\x89PNG")


def _served(settings: Settings, *lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(WINEPRESS), "mcp"],
        input="".join(f"{line}\n" for line in lines),
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )


def test_nothing_but_the_protocol_is_on_stdout(farm_settings: Settings) -> None:
    """Also after lines that are none of it; the end of stdin ends the command."""
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    done = _served(
        farm_settings,
        "not JSON",
        "[" * 100_000,
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[-1]["result"]["serverInfo"]["name"] == "winepress"
    assert all(one["jsonrpc"] == "2.0" for one in answers)


def test_a_farm_that_is_away_is_told_by_the_tool(farm_settings: Settings) -> None:
    """The server starts all the same: an assistant starts it with itself."""
    nowhere = farm_settings.model_copy(
        update={"broker_url": type(farm_settings.broker_url)("redis://127.0.0.1:1/0")}
    )
    server = StdioServerParameters(command=str(WINEPRESS), args=["mcp"], env=environment(nowhere))

    async def run() -> None:
        async with Assistant(server) as assistant:
            failed = await assistant.call_tool("list_models")
            assert failed.is_error
            assert "broker" in text_of(failed)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("farm", "words", "told"), [("no such farm!", (), "farm"), ("f", ("--out", "/proc/x"), "--out")]
)
def test_wrong_usage_is_told_on_stderr(
    farm_settings: Settings, farm: str, words: tuple[str, ...], told: str
) -> None:
    """In one line, at once and not when the first picture is there."""
    done = subprocess.run(
        [str(WINEPRESS), "mcp", *words],
        env=environment(farm_settings) | {"WINEPRESS_FARM": farm},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_ctrl_c_ends_the_command_at_once(farm_settings: Settings) -> None:
    """Although a thread waits for the next line of stdin."""
    process = subprocess.Popen(
        [str(WINEPRESS), "mcp"],
        env=environment(farm_settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write('{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
            process.stdin.flush()
            assert process.stdout.readline()  # it serves
            process.send_signal(signal.SIGINT)
            assert process.wait(_PATIENCE_S) == 130
        finally:
            process.kill()
