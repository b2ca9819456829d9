"""The command as a user runs it: exit codes, what is on stdout, what is on stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.command_line import WINEPRESS, Run, environment, lines
from support.manual_worker import LANE, ManualWorker, forget_farm

from winepress import Client, TextToImage
from winepress_shared.metadata import PictureFacts, encode
from winepress_shared.settings import Settings

APPLE = ("submit", "text-to-image", "a red apple")


def test_submit_prints_the_id_alone_and_status_finds_the_job(run: Run) -> None:
    """What a shell script needs is the whole of stdout."""
    submitted = run(*APPLE, "--seed", "7", "-n", "2")
    assert submitted.returncode == 0, submitted.stderr
    (job_id,) = submitted.stdout.split()
    assert "no worker is alive" in submitted.stderr
    (row,) = lines(run("status", job_id, "--json"))
    assert (row["id"], row["state"], row["units"]) == (job_id, "queued", 2)


def test_submit_and_wait_saves_the_pictures(run: Run, rendering: Any, tmp_path: Path) -> None:
    """Exit code 0, the pictures as stored, one JSON object per line and nothing else."""
    thread = rendering()
    done = run(*APPLE, "-n", "2", "--out", "out", "--json")
    thread.join()
    assert done.returncode == 0, done.stderr
    accepted, ended, *pictures = lines(done)
    assert accepted["is_possible"] is True
    assert ended == {"id": accepted["id"], "state": "succeeded", "done": 2}
    assert [Path(picture["path"]).name for picture in pictures] == [
        f"{accepted['id']}-{unit:06d}.png" for unit in range(2)
    ]
    assert Image.open(tmp_path / pictures[1]["path"]).getpixel((0, 0)) == (1, 0, 0)


def test_a_failed_job_exits_with_1_and_keeps_what_was_drawn(run: Run, rendering: Any) -> None:
    """The pictures that were drawn are saved, the reason and the way on are told."""
    thread = rendering(failing=(0,))
    done = run(*APPLE, "-n", "2", "--out", ".", "--json")
    thread.join()
    assert done.returncode == 1
    assert "retry" in done.stderr
    *_, picture, error = lines(done)
    assert picture["unit"] == 1
    assert error["error"]["type"] == "JobFailed"


def test_ctrl_c_while_waiting_leaves_the_job_running(farm_settings: Settings) -> None:
    """Exit code 130; the id is told, and the job is still queued."""
    with (
        Client(farm_settings) as client,
        subprocess.Popen(
            [WINEPRESS, *APPLE, "--wait"],
            env=environment(farm_settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        job_id = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 130
        assert f"winepress wait {job_id}" in told
        assert f"winepress cancel {job_id}" in told
        assert "Traceback" not in told
        assert client.get(job_id).status().state == "queued"


def test_waiting_too_long_exits_with_124_and_the_job_goes_on(run: Run) -> None:
    """A time limit is not a failure of the job."""
    job_id = run(*APPLE).stdout.strip()
    done = run("wait", job_id, "--timeout", "0.1", "--json")
    assert done.returncode == 124
    assert lines(done)[-1]["error"]["type"] == "StillRunning"
    assert lines(run("status", job_id, "--json"))[0]["state"] == "queued"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("submt",), 2, "Did you mean submit?"),
        ((*APPLE, "--setps", "3"), 2, "Did you mean --steps?"),
        ((*APPLE, "--steps", "many"), 2, "--steps"),
        ((*APPLE, "--precision", "int9"), 2, "Did you mean int8?"),
        (("submit",), 2, "give a kind and a prompt"),
        (("submit", "--file", "nonesuch.yaml"), 2, "No such file"),
        ((*APPLE, "--model", "vignete"), 4, "Did you mean 'vignette'?"),
        ((*APPLE, "--size", "100x100"), 4, "width"),
        ((*APPLE, "--strength", "0.5"), 4, "strength"),
        ((*APPLE, "-n", "0"), 4, "n:"),
        ((*APPLE, "--user", "a b"), 4, "user"),
        (("submit", "image-to-image", "x", "--image", "nonesuch.png"), 4, "image"),
        (("status", "j0000"), 4, "no such job"),
        (("fetch", "../../etc"), 4, "not the id of a job"),
        (("info", "nonesuch.png"), 2, "No such file"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_its_exit_code(
    run: Run, words: tuple[str, ...], code: int, told: str
) -> None:
    """On stderr for people; with --json one error object is all of stdout."""
    done = run(*words, "--json") if words[0] != "submt" else run(*words)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("winepress: error: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    if words[0] != "submt":
        (only,) = lines(done)
        assert only["error"]["exit_code"] == code


def test_a_farm_that_is_down_is_told(run: Run) -> None:
    """Exit code 3, what was tried, how to start one; never the password."""
    done = run(*APPLE, "--json", WINEPRESS_BROKER_URL="redis://:s3cr3t@127.0.0.1:1/0")
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
    assert "winepress up" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout
    assert lines(done)[0]["error"]["type"] == "BrokerUnreachable"


def description(folder: Path, job_id: str) -> Any:
    """What the store of the one farm below ``folder`` holds of a job."""
    (path,) = folder.glob(f"store/*/jobs/{job_id}/job.json")
    return json.loads(path.read_text())


def test_a_job_file_is_read_with_its_pictures_beside_it(run: Run, tmp_path: Path) -> None:
    """Paths in the file are relative to its folder; flags win over the file."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    Image.new("RGB", (128, 128), "teal").save(folder / "table.png")
    (folder / "job.yaml").write_text(
        "kind: image-to-image\nprompt: a red apple\nimage: table.png\nsteps: 12\nuser: ada\n"
    )
    done = run("submit", "--file", "jobs/job.yaml", "--steps", "9", "--json")
    assert done.returncode == 0, done.stderr
    (accepted,) = lines(done)
    assert (accepted["kind"], accepted["user"]) == ("image-to-image", "ada")
    record = description(tmp_path, accepted["id"])
    assert record["job"]["num_inference_steps"] == 9


def test_what_info_prints_can_be_submitted_again(run: Run, tmp_path: Path) -> None:
    """The job in a picture is the job that drew it; a photograph says nothing."""
    job = TextToImage(prompt="a red apple", seed=7, width=64, height=64, num_inference_steps=9)
    facts = PictureFacts("running_farm 1", "CPU", "f32", "0", "DDIMScheduler")
    image = Image.new("RGB", (64, 64), "red")
    (tmp_path / "apple.png").write_bytes(encode(image, job, facts))
    assert run("info", "apple.png").stdout.startswith("a red apple\n")
    (tmp_path / "job.json").write_text(run("info", "apple.png", "--json").stdout)
    (accepted,) = lines(run("submit", "--file", "job.json", "--json"))
    record = description(tmp_path, accepted["id"])
    assert (record["job"]["seed"], record["job"]["num_inference_steps"]) == (7, 9)
    image.save(tmp_path / "photograph.jpg")
    assert run("info", "photograph.jpg").returncode == 4


def test_the_prompt_may_come_through_a_pipe(run: Run, tmp_path: Path) -> None:
    """A dash reads stdin."""
    (accepted,) = lines(run("submit", "text-to-image", "-", "--json", text="a green pear\n"))
    record = description(tmp_path, accepted["id"])
    assert record["job"]["prompt"] == "a green pear"


def test_jobs_are_paused_resumed_canceled_and_retried(run: Run) -> None:
    """One verb each, and what is not possible is a refusal."""
    job_id = run(*APPLE).stdout.strip()
    assert run("pause", job_id).returncode == 0
    assert "winepress resume" in run("explain", job_id).stdout
    assert lines(run("resume", job_id, "--json")) == [
        {"id": job_id, "state": "queued", "paused": False}
    ]
    assert run("retry", job_id).returncode == 4
    assert run("cancel", job_id).stdout == f"{job_id} canceled\n"
    assert run("wait", job_id).returncode == 1
    assert run("retry", job_id).stdout == f"{job_id} queued\n"
    assert [row["id"] for row in lines(run("list", "--state", "queued", "--json"))] == [job_id]


def test_watch_tells_every_event_and_fetch_saves_later(
    run: Run, manual_worker: ManualWorker, tmp_path: Path
) -> None:
    """A job that is over is told from its history."""
    job_id = run(*APPLE).stdout.strip()
    manual_worker.work(LANE)
    events = [line["event"] for line in lines(run("watch", job_id, "--json"))]
    assert events[0] == "queued"
    assert events[-1] == "succeeded"
    assert run("fetch", job_id, "--out", "a").stdout == f"a/{job_id}-000000.png\n"
    assert (tmp_path / f"a/{job_id}-000000.png").is_file()
    (link,) = lines(run("fetch", job_id, "--urls", "--json"))
    assert link["url"].startswith("file:")


def test_doctor_tells_a_working_farm_from_a_broken_one(
    run: Run, manual_worker: ManualWorker
) -> None:
    """Exit code 0 only when a job could be rendered."""
    done = run("doctor", "--json")
    assert done.returncode == 3
    found = {line["part"]: line["ok"] for line in lines(done)}
    behind = [
        "workers",
        "links",
        "lanes",
        "uptake",
        "blocks",
        "versions",
        "jobs",
        "dead",
        "records",
        "memory",
    ]
    assert list(found) == ["catalogue", "store", "room", "writes", "broker", *behind]
    assert [part for part, is_ok in found.items() if not is_ok] == ["workers"]
    manual_worker.live(LANE)
    assert run("doctor").returncode == 0
    assert lines(run("workers", "--json"))[0]["facts"]["lanes"] == [LANE]


def test_a_model_no_worker_can_hold_is_told_by_every_command(
    run: Run, manual_worker: ManualWorker
) -> None:
    """At once, and with what would help."""
    too_large = {LANE: 12 * 2**30}
    facts = {"device": "CPU", "lanes": [], "too_large": too_large, "memory_budget": 8 * 2**30}
    manual_worker.ledger.beat("manual", manual_worker.holder, facts)
    accepted = run(*APPLE, "--json")
    (line,) = lines(accepted)
    assert line["is_possible"] is False
    told = "vignette.fp16 needs 12.0 GiB of memory, and the largest budget"
    assert told in line["reason"]
    commands = (("explain", line["id"]), ("status", line["id"]), ("doctor",))
    for done in (run(*words) for words in commands):
        assert told in done.stdout
        assert "--memory-budget 12GiB" in done.stdout
    assert "not: vignette.fp16 (needs 12.0 GiB of memory" in run("workers").stdout


def test_a_fault_of_every_worker_of_a_lane_is_one_of_the_farm(
    run: Run, manual_worker: ManualWorker
) -> None:
    """Doctor says it before anything waits; while another worker serves the lane it is a remark."""
    manual_worker.live(LANE)
    manual_worker.ledger.describe_renderer("manual", {"unfit": {LANE: "the model is damaged"}})
    done = run("doctor")
    assert done.returncode == 3
    assert "manual: the model is damaged" in done.stdout
    manual_worker.ledger.beat("other", "other/1", {"device": "CPU", "lanes": [LANE]})
    done = run("doctor")
    assert done.returncode == 0
    assert "manual does not serve vignette.fp16" in done.stdout


def test_a_reader_that_goes_away_is_no_error(farm_settings: Settings, run: Run) -> None:
    """``winepress list | head -1`` says nothing on stderr."""
    for _ in range(3):
        run(*APPLE)
    done = subprocess.run(
        f"'{WINEPRESS}' list --json | true",
        shell=True,
        env=environment(farm_settings) | {"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""


def test_recover_enters_lost_jobs_again(run: Run, client: Client) -> None:
    """The command prints the ids it brought back."""
    job_id = run(*APPLE).stdout.strip()
    forget_farm(client.settings)
    for lost in (run("status", job_id).stderr, run("doctor").stdout):
        assert "`winepress recover` enters" in lost
    done = run("recover", "--json")
    assert lines(done) == [{"id": job_id, "repair": "entered", "lost": 0}]
    assert lines(run("doctor", "--json"))[-1]["ok"]
    assert run("status", job_id).returncode == 0
