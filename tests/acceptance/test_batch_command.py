"""``winepress batch`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import Run, lines
from support.manual_worker import LANE, ManualWorker

from winepress import Client


def write_csv(folder: Path, broken: int | None = None) -> None:
    rows = [f"a cat {number},4,{number}" for number in range(2, 2002)]
    if broken:
        rows[broken - 2] = f"a cat {broken},four,7"
    (folder / "items.csv").write_text("prompt,steps,seed\n" + "\n".join(rows) + "\n")


def test_a_broken_line_1501_is_named_and_nothing_is_queued(
    run: Run,
    client: Client,
    tmp_path: Path,
) -> None:
    """Exit code 4, line and column in one sentence."""
    write_csv(tmp_path, broken=1501)
    done = run("batch", "items.csv")
    assert (done.returncode, done.stdout) == (4, "")
    assert "line 1501, column 2 (steps)" in done.stderr
    assert "Traceback" not in done.stderr
    assert client.list() == []
    assert list(client.archive.store.list("jobs/")) == []


def test_a_dry_run_counts_and_prices_and_queues_nothing(
    run: Run,
    client: Client,
    manual_worker: ManualWorker,
    tmp_path: Path,
) -> None:
    """With a time as soon as a worker has measured its pace."""
    write_csv(tmp_path)
    (row,) = lines(run("batch", "items.csv", "--dry-run", "--matrix", "guidance=2,5", "--json"))
    assert row["pictures"] == 4000
    assert row["megapixel_steps"] == pytest.approx(4000 * 4 * 256 * 256 / 1e6)
    assert row["seconds"] is None
    manual_worker.live(LANE)
    manual_worker.ledger.describe_renderer("manual", {"megapixel_steps_per_s": {LANE: 10.0}})
    (row,) = lines(run("batch", "items.csv", "--dry-run", "--json"))
    assert row["seconds"] == pytest.approx(2000 * 4 * 256 * 256 / 1e7, rel=0.01)
    assert client.list() == []


def test_a_batch_is_drawn_saved_and_listed(
    run: Run,
    rendering: object,
    tmp_path: Path,
) -> None:
    """Pictures, manifest and contact sheet lie in the folder; what failed is in the manifest."""
    (tmp_path / "prompts.txt").write_text("# cats\na {red|blue} cat\n--prompt 'a dog' --seed 3\n")
    thread = rendering(failing=(1,))  # type: ignore[operator]
    words = ("batch", "prompts.txt", "--all-combinations", "--out", "out", "--manifest")
    done = run(*words, "--contact-sheet", "--json")
    thread.join()
    assert done.returncode == 1, done.stderr
    assert "2/3 pictures, failed, 1 failed" in done.stderr
    assert "failed: it was told to fail" in done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"manifest.jsonl", "manifest.csv", "contact-sheet-001.png"} < names
    assert len(names) == 5
    text = (tmp_path / "out" / "manifest.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["prompt"] for row in rows] == ["a red cat", "a blue cat", "a dog"]
    assert [row["state"] for row in rows] == ["done", "failed", "done"]


def test_retry_failed_takes_every_failed_job_and_no_other(
    run: Run,
    client: Client,
    manual_worker: ManualWorker,
    tmp_path: Path,
) -> None:
    """Without a name all that failed; named ones that did not fail are passed over."""
    (tmp_path / "prompts.txt").write_text("a cat\na dog\n")
    first, second = (run("batch", "prompts.txt").stdout.strip() for _ in range(2))
    manual_worker.live(LANE)
    manual_worker.work(LANE, most=1, failing=(0,))
    manual_worker.work(LANE, most=1, failing=(1,))
    manual_worker.work(LANE)
    failed = [row.id for row in client.list() if row.state == "failed"]
    assert failed
    done = run("retry", "--failed")
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == sorted(failed)
    manual_worker.work(LANE)
    assert {client.get(job).status().state for job in (first, second)} == {"succeeded"}
    assert run("retry", "--failed", first, second).stdout == ""
    assert run("retry").returncode == 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("batch",), "give a file or --prompt"),
        (("batch", "nowhere.csv"), "cannot read the file of pictures"),
        (("batch", "--prompt", "a", "--between", "night"), "22:00-06:00"),
        (("batch", "--prompt", "a", "--start-after", "soon"), "--start-after: not a time"),
        (("batch", "--prompt", "a", "--matrix", "seed"), "matrix"),
        (("batch", "--prompt", "a", "--manifest"), "--out"),
    ],
)
def test_wrong_usage_of_batch_is_exit_code_2(
    run: Run,
    words: tuple[str, ...],
    problem: str,
) -> None:
    """One sentence each, and no traceback."""
    done = run(*words)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_jobs_are_moved_to_the_front_and_to_another_priority(run: Run, client: Client) -> None:
    """A priority that does not exist is wrong usage."""
    job = run("batch", "--prompt", "a cat").stdout.strip()
    assert run("front", job).stdout.split() == [job, "queued"]
    (row,) = lines(run("reprioritise", job, "--priority", "interactive", "--json"))
    assert row == {"id": job, "priority": "interactive"}
    assert client.get(job).status().priority == "interactive"
    assert run("reprioritise", job, "--priority", "urgent").returncode == 2
