"""What is ignored of foreign files and prompts is said where it is submitted and where it ends."""

from __future__ import annotations

import json
from pathlib import Path

from support.command_line import Run, lines

from winepress.client import Client
from winepress_shared.items import ItemReader


def test_a_job_file_of_another_program_is_warned_of(
    run: Run, client: Client, tmp_path: Path
) -> None:
    """In what the command prints, in the handle, and kept with the job for its result."""
    request = {"prompt": "a (red:1.3) {fox|dog}", "style": "vivid", "user": "ada", "n": None}
    (tmp_path / "a.json").write_text(json.dumps(request))
    (told,) = lines(run("submit", "--file", str(tmp_path / "a.json"), "--json"))
    assert told["user"] == "ada"
    style, syntax = told["warnings"]
    assert style.startswith("style is ignored: ")
    assert syntax.startswith("(red:1.3), {fox|dog}: read as plain words")
    assert list(client.get(told["id"]).warnings) == told["warnings"]
    assert client.archive.read_job(told["id"]).warnings == tuple(told["warnings"])


def test_a_batch_says_each_thing_once_and_keeps_it_with_each_picture(
    run: Run, client: Client, tmp_path: Path
) -> None:
    """However many lines it is about; each picture has its own words."""
    prompts = [f"a (fox{number}:1.2) AND {{x|y}}" for number in range(3)]
    body = [{"prompt": prompt, "moderation": "auto"} for prompt in [*prompts, "a fox (plain)"]]
    text = "\n".join(json.dumps({"body": each}) for each in body)
    (tmp_path / "a.jsonl").write_text(text)
    done = run("batch", str(tmp_path / "a.jsonl"))
    notes = [line for line in done.stderr.splitlines() if "ignored" in line or "read as" in line]
    assert len(notes) == 2
    assert notes[0].startswith("winepress: 4 pictures: moderation is ignored")
    assert notes[1].startswith("winepress: 3 pictures: (fox0:1.2), AND, (fox1:1.2), (fox2:1.2): ")
    record, reader = client.archive.read_job(done.stdout.strip()), ItemReader(client.archive)
    warnings = [reader.item(record, unit).warnings for unit in range(4)]
    assert warnings[2][1].startswith("(fox2:1.2), AND: ")
    assert [len(each) for each in warnings] == [2, 2, 2, 1]
