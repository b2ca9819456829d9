"""A real worker, with real Celery, Valkey and SeaweedFS: parent and renderer as one unit."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.running_farm import RunningFarm, wait_until

from winepress import Client, JobState, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.services.flower_report import ask_flower
from winepress_shared.errors import JobCanceled
from winepress_shared.lane import Lane

_PATIENCE_S = 60
_STEP_S = 0.05
_PARENT_MIB = 90  #: most memory a parent may hold


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFarm]:
    """A farm of one worker with Flower; pictures take a twentieth of a second per step."""
    state: Path = tmp_path_factory.mktemp("farm")
    options = FarmOptions(state=state, workers=1, engine=f"fake:step_s={_STEP_S}")
    with Farm(options) as farm, Client(farm.settings) as client:
        client.submit(TextToImage(prompt="warm up", num_inference_steps=1)).wait(_PATIENCE_S)
        yield RunningFarm(farm, client)


def _parent(running_farm: RunningFarm) -> psutil.Process:
    pid = running_farm.farm.workers[0].pid
    assert pid is not None
    return psutil.Process(pid)


def _renderer_pid(running_farm: RunningFarm) -> int:
    return int(running_farm.client.workers()[0].renderer["pid"])


def test_cancel_stops_a_running_job_and_the_next_one_is_drawn(one_worker: RunningFarm) -> None:
    """Long before the canceled picture would have been finished."""
    handle = one_worker.client.submit(TextToImage(prompt="long", num_inference_steps=150))
    for event in handle.events():
        if event.name == "progress":
            break
    handle.cancel()
    with pytest.raises(JobCanceled):
        handle.wait(_PATIENCE_S)
    follower = one_worker.client.submit(TextToImage(prompt="next", num_inference_steps=1))
    follower.wait(_PATIENCE_S)
    (canceled,) = [event.at for event in handle.events() if event.name == "canceled"]
    (begun,) = [event.at for event in follower.events() if event.name == "unit-started"]
    assert begun - canceled < 100 * _STEP_S


def test_a_watched_job_shows_itself_and_keeps_its_warning(one_worker: RunningFarm) -> None:
    """Previews while it is drawn; what was ignored or not read stands in the result."""
    job = TextToImage(
        prompt="a fox " * 40,
        negative_prompt="blur",
        guidance_scale=1,
        num_inference_steps=10,
        preview_every=3,
    )
    handle = one_worker.client.submit(job)
    seen = [
        (int(event.fields["step"]), handle.preview(0))
        for event in handle.events(_PATIENCE_S)
        if event.name == "preview"
    ]
    assert [step for step, _ in seen] == [3, 6, 9]
    assert all(preview and preview.jpeg.startswith(b"\xff\xd8") for _, preview in seen)
    (output,) = handle.result.outputs
    *known, unread = output.warnings
    assert tuple(known) == handle.warnings
    assert "negative_prompt is ignored" in known[0]
    assert unread.startswith("prompt is cut after 77 tokens, not read: fox")
    again = one_worker.client.get(handle.id)
    assert again.warnings == handle.warnings


def test_pause_finishes_the_picture_in_hand_and_resume_goes_on(one_worker: RunningFarm) -> None:
    """No attempt is counted and nothing is drawn twice."""
    handle = one_worker.client.submit(TextToImage(prompt="paused", n=6, num_inference_steps=10))
    wait_until(lambda: handle.status().done >= 1)
    one_worker.client.pause(handle.id)
    wait_until(one_worker.is_quiet)
    held = handle.status()
    assert held.paused
    assert 1 <= held.done < 6
    assert "It is paused" in one_worker.client.explain(handle.id)
    one_worker.client.resume(handle.id)
    handle.wait(_PATIENCE_S)
    assert [output.attempts for output in handle.result.outputs] == [1] * 6
    one_worker.assert_exactly_once([handle])


def test_a_drained_worker_gives_back_what_it_has_not_drawn(one_worker: RunningFarm) -> None:
    """SIGTERM: the picture in hand is finished, the rest is free for others, no attempt counts."""
    handle = one_worker.client.submit(TextToImage(prompt="drained", n=8, num_inference_steps=10))
    wait_until(lambda: handle.status().done >= 1)
    deaths = one_worker.farm.workers[0].deaths
    _parent(one_worker).send_signal(signal.SIGTERM)
    wait_until(lambda: one_worker.farm.workers[0].deaths > deaths)
    handle.wait(_PATIENCE_S)
    assert [output.attempts for output in handle.result.outputs] == [1] * 8
    one_worker.assert_exactly_once([handle])


def test_the_parent_is_small_and_answers_while_a_picture_is_drawn(one_worker: RunningFarm) -> None:
    """Flower's questions reach the parent; OpenVINO and torch never do."""

    def facts() -> dict[str, Any]:
        (worker,) = ask_flower(one_worker.farm, "/api/workers?refresh=1").values()
        return dict(worker.get("stats", {}).get("winepress", {}))

    one_worker.client.submit(TextToImage(prompt="first", num_inference_steps=1)).wait(_PATIENCE_S)
    wait_until(lambda: "vignette.fp16" in facts().get("seconds_per_picture", {}))
    handle = one_worker.client.submit(TextToImage(prompt="busy", n=10, num_inference_steps=100))
    wait_until(lambda: handle.status().state is JobState.RUNNING)
    assert facts()["warm"] == ["vignette.fp16"]
    assert handle.status().state is JobState.RUNNING
    parent = _parent(one_worker)
    assert parent.memory_info().rss < _PARENT_MIB * 2**20
    maps = Path(f"/proc/{parent.pid}/maps").read_text("utf-8")
    assert "openvino" not in maps
    assert "torch" not in maps
    handle.cancel()


def test_flower_lists_tickets_with_arguments_and_results_people_can_read(
    one_worker: RunningFarm,
) -> None:
    """A row names its lane, and what came of it; one ticket may have served a job before, too."""
    handle = one_worker.client.submit(TextToImage(prompt="seen", num_inference_steps=2))
    handle.wait(_PATIENCE_S)

    def rows() -> list[tuple[str, str, str]]:
        tasks = ask_flower(one_worker.farm, "/api/tasks?state=SUCCESS")
        return [(t["name"], t["kwargs"], str(t["result"])) for t in tasks.values()]

    wait_until(lambda: any(handle.id in result for _, _, result in rows()))
    ((name, arguments, result),) = [row for row in rows() if handle.id in row[2]]
    assert name == "winepress.render"
    assert arguments == "lane=vignette.fp16"
    assert re.search(r"\d pictures? in [\d.]+ s", result)


def test_a_dead_renderer_is_replaced_and_its_slice_handed_on_at_once(
    one_worker: RunningFarm,
) -> None:
    """Nobody waits for a lease to run out: these would last for an hour."""
    handle = one_worker.client.submit(TextToImage(prompt="killed", n=2, num_inference_steps=20))
    wait_until(lambda: handle.status().state is JobState.RUNNING)
    os.kill(_renderer_pid(one_worker), signal.SIGKILL)
    _prolong_leases(one_worker)
    handle.wait(_PATIENCE_S)
    one_worker.assert_exactly_once([handle])


def _prolong_leases(running_farm: RunningFarm) -> None:
    key, hour_ms = f"{running_farm.farm.settings.farm}:leases", 3_600_000
    with running_farm.broker() as server:
        for fence in server.zrange(key, 0, -1):
            server.zadd(key, {fence: hour_ms}, xx=True, incr=True)


def test_the_renderer_dies_with_its_parent(one_worker: RunningFarm) -> None:
    """SIGKILL of the parent leaves no process behind that holds the device."""
    renderer = psutil.Process(_renderer_pid(one_worker))
    one_worker.farm.workers[0].kill()
    wait_until(lambda: not renderer.is_running() or renderer.status() == psutil.STATUS_ZOMBIE)
    name = one_worker.farm.workers[0].name
    wait_until(lambda: _is_back(one_worker, name, renderer.pid))


def _is_back(running_farm: RunningFarm, name: str, old_pid: int) -> bool:
    found = [w for w in running_farm.client.workers() if w.name == name]
    return bool(found) and found[0].renderer.get("pid", old_pid) != old_pid


@pytest.mark.parametrize("garbage", [b"not json", b"{}", b'{"body": "x"}'])
def test_garbage_in_the_queue_harms_nobody(one_worker: RunningFarm, garbage: bytes) -> None:
    """Whoever can write to the broker cannot make a worker run anything or stop."""
    lane = Lane.parse("vignette.fp16")
    with one_worker.broker() as server:
        server.lpush(f"{one_worker.farm.settings.farm}:queue:{lane}", garbage)
    handle = one_worker.client.submit(TextToImage(prompt="after garbage", num_inference_steps=2))
    handle.wait(_PATIENCE_S)
    one_worker.assert_exactly_once([handle])
