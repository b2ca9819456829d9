"""Commands that show what others wrote, with the worst that they may write."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.command_line import WINEPRESS, Run, environment
from support.manual_worker import LANE, ManualWorker
from support.terminal_session import TerminalSession

from winepress.client import Client
from winepress_shared.errors import FailForGood
from winepress_shared.jobs.job import TextToImage
from winepress_shared.settings import Settings

HOSTILE = "evil\x1b[2J\x9b31m\r\nforged  succeeded\u202e\u2028end"
#: What each command shows of it at least; `{job}` is a failed job and `{waiting}` one that waits.
COMMANDS = (
    "workers",
    "top",
    "doctor",
    "list",
    "status {job}",
    "status {waiting}",
    "explain {job}",
    "explain {waiting}",
    "wait {job}",
    "watch {job}",
    "fetch {job} --out out",
    "fetch {job} --out out --manifest",
    "retry --failed {job}",
    "submit --file job.json",
    "submit --file hostile.json",
    "batch items.jsonl",
    "batch items.jsonl --dry-run",
    "batch hostile.csv",
    "pause --lane hostile",
    "info picture.png",
    "models list",
)
#: Those that show nothing of it, and might one day. A submission logs it; see `PlainFormatter`.
SILENT = (
    "fetch {job} --out out",
    "fetch {job} --out out --manifest",
    "retry --failed {job}",
    "submit --file job.json",
    "models list",
)


@pytest.fixture
def farm(manual_worker: ManualWorker, client: Client, tmp_path: Path) -> dict[str, str]:
    """A farm in which workers, reasons, notes, files and prompts say the worst."""
    manual_worker.ledger.beat(HOSTILE, "evil/1", {"device": HOSTILE, "lanes": [LANE, HOSTILE]})
    manual_worker.live(LANE)
    job = client.submit(TextToImage(prompt="a fox", seed=1))
    manual_worker.ledger.note(job.id, HOSTILE)
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 9)
    assert slice_ is not None
    manual_worker.ledger.start(slice_.fence, 0)
    manual_worker.ledger.fail(slice_.fence, 0, FailForGood(HOSTILE), retry=False)
    manual_worker.ledger.finish(slice_.fence, HOSTILE)
    waiting = client.submit(TextToImage(prompt="a fox", seed=1))
    slice_ = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 9)
    assert slice_ is not None
    manual_worker.ledger.release(slice_.fence, manual_worker.holder, 60_000, HOSTILE)
    write_files(tmp_path)
    return {"job": job.id, "waiting": waiting.id}


def write_files(folder: Path) -> None:
    prompt = {"prompt": "(evil\u202e\nforged:1.3)"}
    (folder / "job.json").write_text(json.dumps(prompt))
    (folder / "items.jsonl").write_text(json.dumps(prompt))
    (folder / "hostile.json").write_text(json.dumps({"prompt": "a", HOSTILE: HOSTILE}))
    (folder / "hostile.csv").write_text('prompt,model\na,"evil\x1b[2J\u202e"\n')
    told = PngInfo()
    told.add_itxt("parameters", HOSTILE)
    Image.new("RGB", (8, 8)).save(folder / "picture.png", pnginfo=told)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_hands_an_order_to_the_terminal(
    farm: dict[str, str],
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """Nor lets another's words begin a line; with --json all of it is JSON in ASCII."""
    monkeypatch.chdir(tmp_path)
    words = [HOSTILE if w == "hostile" else w.format(**farm) for w in command.split()]
    done = run(*words)
    out, err = done.stdout, done.stderr
    assert r"\u202e" in out + err or command in SILENT
    orders = {c for c in out + err if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cf")}
    assert orders <= {"\n"}
    assert not any(line.startswith("forged") for line in (out + err).splitlines()) or (
        "picture.png" in words  # text of several lines is what that command shows
    )
    out = run(*words, "--json").stdout
    assert out.isascii()
    assert all(isinstance(json.loads(line), dict) for line in out.splitlines())


@pytest.mark.parametrize("command", ["list", "workers", "status {job} {waiting}", "top"])
def test_what_is_drawn_on_a_terminal_holds_no_order_of_others(
    farm: dict[str, str], farm_settings: Settings, command: str
) -> None:
    """Colours and cursor are moved by what draws alone, and no word of others is markup."""
    words = [word.format(**farm) for word in command.split()]
    with TerminalSession([str(WINEPRESS), *words], environment(farm_settings)) as terminal:
        terminal.await_text(r"\u202e")
        terminal.press("q")
        assert terminal.end() == 0, terminal.written
    assert not {"\u202e", "\u2028", "\x9b"} & set(terminal.written)
    assert "\x1b[2J" not in terminal.written
    assert not any(line.startswith("forged") for line in terminal.written.splitlines())
