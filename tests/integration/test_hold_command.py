"""Holding work back from the command line: pauses, starts, hours, and who is told what."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from support.command_line import Run, lines
from support.manual_worker import LANE, ManualWorker, apple

from winepress import Client, QueueFull
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.settings import Limits, Settings


def test_a_user_a_lane_and_the_farm_are_paused_and_resumed(
    run: Run, client: Client, manual_worker: ManualWorker
) -> None:
    """Each says what is paused by now; the job waits, then it is drawn."""
    manual_worker.live(LANE)
    job = run("submit", "text-to-image", "a cat", "--user", "ann").stdout.strip()
    assert lines(run("pause", "--user", "ann", "--json")) == [{"paused": ["user:ann"]}]
    done = run("pause", "--lane", LANE)
    assert done.stdout == f"paused: lane:{LANE}, user:ann\n"
    assert "paused already" in run("pause", "--lane", LANE).stderr
    manual_worker.work(LANE)
    assert "user ann is paused" in run("explain", job).stdout
    run("resume", "--user", "ann")
    run("resume", "--lane", LANE)
    run("pause", "--farm")
    manual_worker.work(LANE)
    assert client.get(job).status().state == "queued"
    assert run("resume", "--farm").stdout == "paused: nothing\n"
    manual_worker.work(LANE)
    assert client.get(job).status().state == "succeeded"


def test_what_the_state_forbids_is_told_once_for_each_of_several_jobs(
    run: Run, client: Client
) -> None:
    """Beside several jobs stands the id of the one that is meant; one alone needs none."""
    jobs = [client.submit(apple()).id for _ in range(2)]
    run("cancel", *jobs)
    several = run("pause", *jobs)
    assert (several.returncode, several.stdout) == (4, "")
    for job in jobs:
        assert f"{job}: cannot pause a job that was canceled\n" in several.stderr
    alone = run("front", jobs[0])
    assert (alone.returncode, jobs[0] in alone.stderr) == (4, False)
    assert "cannot move to the front a job that was canceled" in alone.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("pause",), 2),
        (("pause", "--farm", "--user", "ann"), 2),
        (("resume", "j1", "--farm"), 2),
        (("pause", "--lane", "nothing"), 4),
        (("pause", "--user", "a b"), 4),
    ],
)
def test_a_pause_of_nothing_or_of_too_much_is_refused(
    run: Run, client: Client, words: tuple[str, ...], code: int
) -> None:
    """In one sentence; nothing is paused."""
    done = run(*words)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert client.farm.pauses() == []


def test_a_job_may_start_later_or_in_a_part_of_the_day(run: Run, client: Client) -> None:
    """It waits in the ledger, and calls no worker before."""
    later = time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() + 30 * 86_400))
    (row,) = lines(run("submit", "text-to-image", "a cat", "--start-after", later, "--json"))
    night = run("submit", "text-to-image", "a cat", "--between", _closed_hours()).stdout.strip()
    starts = client.get(str(row["id"])).status().starts
    assert starts == pytest.approx(time.time() + 30 * 86_400, abs=120)
    assert client.get(night).status().window is not None
    assert client.ledger.waiting() == {}
    assert f"starts no earlier than {later[:10]}" in run("explain", str(row["id"])).stdout
    assert run("submit", "text-to-image", "a cat", "--between", "night").returncode == 2
    assert run("submit", "text-to-image", "a cat", "--start-after", "2001-01-01").returncode == 2


def test_status_says_when_a_job_is_done_and_who_could_not_draw_it(
    run: Run, client: Client, manual_worker: ManualWorker
) -> None:
    """A lane that nobody serves is named at submit, by batch, by status and by explain."""
    job = run("batch", "--prompt", "a cat", "--json")
    assert "no worker is alive" in json.loads(job.stdout)["impossible"]
    assert "no worker can render it now: no worker is alive" in job.stderr
    manual_worker.live("other.fp16")
    words = ("submit", "text-to-image", "a cat", "--size", "256x256", "--steps", "20")
    done = run(*words)
    assert f"no live worker serves {LANE}" in done.stderr
    for verb in ("status", "explain"):
        assert f"no live worker serves {LANE}" in run(verb, done.stdout.strip()).stdout
    manual_worker.live(LANE)
    pace = {"megapixel_steps_per_s": {LANE: 0.1}, "seconds_per_picture": {LANE: 13.1}}
    manual_worker.ledger.describe_renderer("manual", pace)
    (row,) = lines(run("status", done.stdout.strip(), "--json"))
    assert row["impossible"] is None
    assert row["estimate"]["limit_s"] == pytest.approx(131.072)
    assert row["estimate"]["ends_in_s"] == pytest.approx(13.1, rel=0.01)
    assert "ends in about 0:00:13" in run("status", done.stdout.strip()).stdout


def test_status_says_what_holds_a_job_back(
    run: Run, client: Client, manual_worker: ManualWorker
) -> None:
    """As `explain` does: a time limit alone would look as if nothing were the matter."""
    manual_worker.live(LANE)
    job = run("submit", "text-to-image", "a cat", "--between", _closed_hours()).stdout.strip()
    run("pause", "--farm")
    assert run("pause", job).stdout == f"{job} queued (paused)\n"
    (row,) = lines(run("status", job, "--json"))
    window = client.get(job).status().window
    assert window is not None
    assert [line.split(": ")[0] for line in row["held"]] == [
        "It is paused",
        "The whole farm is paused",
        f"It is worked on only during {window.local}.",
    ]
    assert all(line in run("status", job).stdout for line in row["held"])
    assert run("resume", job).stdout == f"{job} queued\n"


def test_a_dry_run_promises_no_end_to_what_waits_for_its_hours(
    run: Run, manual_worker: ManualWorker
) -> None:
    """It says how long the drawing takes and from when on; what is wrong with the hours, too."""
    manual_worker.live(LANE)
    pace = {"megapixel_steps_per_s": {LANE: 0.1}, "seconds_per_picture": {LANE: 13.1}}
    manual_worker.ledger.describe_renderer("manual", pace)
    dry = ("batch", "--prompt", "a cat", "--size", "256x256", "--steps", "20", "--dry-run")
    assert "ends in about 0:00:13" in run(*dry).stdout
    held = run(*dry, "--between", _closed_hours(), "--start-after", "23:59")
    assert "Drawing takes about 0:00:13" in held.stdout
    assert "ends in about" not in held.stdout
    assert "It is worked on only during" in held.stderr
    assert "It starts no earlier than" in held.stderr
    for wrong in (("--between", "22-6"), ("--user", "a b"), ("--expires", "-1")):
        assert run(*dry, *wrong).returncode in (2, 4)


def test_a_retry_of_nothing_says_so(run: Run, client: Client) -> None:
    """Silence would look like work."""
    done = run("retry", "--failed")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing to retry" in done.stderr


def test_a_table_of_a_job_without_a_picture_is_written_into_a_new_folder(
    run: Run, client: Client, tmp_path: Path
) -> None:
    """The manifest of a job that waits says so in each row."""
    job = run("submit", "text-to-image", "a cat").stdout.strip()
    assert run("fetch", job, "--manifest", "--out", str(tmp_path / "new" / "one")).returncode == 0
    table = (tmp_path / "new" / "one" / "manifest.jsonl").read_text()
    assert json.loads(table)["state"] == "waiting"


def _closed_hours() -> str:
    hour = time.localtime().tm_hour
    return f"{(hour + 2) % 24:02d}:00-{(hour + 3) % 24:02d}:00"


def test_the_limits_of_the_farm_are_shown_set_and_taken_back(run: Run, client: Client) -> None:
    """The broker keeps them: every producer meets them, whatever its own settings say."""
    shown = [line.split()[0] for line in run("limits").stdout.splitlines()]
    assert shown == list(Limits.model_fields)
    usual = json.loads(run("limits", "--json").stdout)
    new = run("limits", "--user-queue-limit", "2", "--keep-days", "0.5", "--json")
    assert json.loads(new.stdout) == usual | {"user_queue_limit": 2, "keep_days": 0.5}
    generous = client.settings.model_copy(update={"user_queue_limit": 100})
    with Client(generous) as other, pytest.raises(QueueFull, match="2 units of one user"):
        other.submit(apple(n=3))
    back = run("limits", "--user-queue-limit", "default", "--keep-days", "default", "--json")
    assert json.loads(back.stdout) == usual


@pytest.mark.parametrize("value", ["0", "-1", "many", "1e99", "9" * 5000])
def test_a_limit_that_is_none_is_refused_and_changes_nothing(run: Run, value: str) -> None:
    """In one line that names it."""
    usual = run("limits", "--json").stdout
    refused = run("limits", "--keep-days", "1", f"--queue-limit={value}")
    assert refused.returncode == 2
    assert "queue_limit" in refused.stderr
    assert run("limits", "--json").stdout == usual


def test_a_limit_in_a_producers_settings_is_said_to_be_ignored(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It decided once."""
    monkeypatch.setenv("WINEPRESS_QUEUE_LIMIT", "7")
    assert run("list").returncode == 0
    assert "queue_limit in these settings: ignored" in caplog.text
    assert "winepress limits" in caplog.text


def test_the_broker_is_told_the_limits_that_the_settings_of_a_farm_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told to it before and is not named stays; producers are handed no limits."""
    monkeypatch.setenv("WINEPRESS_STORE_FOLDER", str(tmp_path / "pictures"))
    options = FarmOptions(state=tmp_path / "state", workers=0, flower=False)
    for name in ("QUEUE_LIMIT", "USER_QUEUE_LIMIT"):
        monkeypatch.setenv(f"WINEPRESS_{name}", "7")
        with Farm(options) as farm:
            limits = QueueLimits(farm.settings).limits()
            assert Settings.load({}, farm.state.settings).limits == {}
        monkeypatch.delenv(f"WINEPRESS_{name}")
    assert (limits["queue_limit"], limits["user_queue_limit"]) == (7, 7)
