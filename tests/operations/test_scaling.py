"""A farm grows from none by the chart's own metric and shrinks to none again; nothing is lost.

KEDA and Kubernetes are played by `support.autoscaler`; gateway, workers and their flags are real.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest
from support.autoscaler import Autoscaler
from support.command_line import WINEPRESS, environment
from support.deployed_files import Manifest, one, pods, rendered
from support.markdown_pages import ROOT, Page
from support.running_gateway import RunningGateway
from support.worker_process import WorkerProcess

from winepress import Client, JobHandle, TextToImage
from winepress_shared.polling import poll
from winepress_shared.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

_SCALING = {"enabled": True, "maxReplicas": 3, "secondsPerWorker": 1}
_TIMES = {"pollSeconds": 1, "cooldownSeconds": 3}
_CPU = {"lanes": "vignette.*", "flags": ["--max-batch-size", "1"]}
_VALUES = {"workers": {"cpu": _CPU | {"autoscaling": _SCALING | _TIMES}}}
_UNITS = 4
_ENGINE = "fake:step_s=0.05,load_s=0.2"
_PATIENCE_S = 600.0
_COST = re.compile(r"annotate pod (\S+) .*pod-deletion-cost=(\d+)")


def _until(is_so: Callable[[], bool], what: str, every_s: float = 0.1) -> None:
    assert poll(is_so, every_s=every_s, timeout_s=_PATIENCE_S), what


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """What the chart asks a cluster for."""
    return rendered(_VALUES)


@pytest.fixture
def scaler(
    manifests: list[Manifest], farm_settings: Settings, tmp_path: Path
) -> Iterator[Autoscaler]:
    """Scales the workers of the chart, started as it starts them; none is there at first."""
    pod = pods(manifests)["night-winepress-worker-cpu"]
    (container,) = pod["containers"]
    words = container["args"][1:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given.pop("--name") == "$(POD_NAME)"
    given["--alive-file"] = str(tmp_path / "alive")
    flags = [word for pair in given.items() for word in pair]
    settings = farm_settings.model_copy(update={"home": tmp_path / "home"})

    def start(name: str) -> WorkerProcess:
        return WorkerProcess(settings, tmp_path, name, _ENGINE, *flags)

    with RunningGateway(farm_settings) as gateway:
        one_scaler = Autoscaler(one(manifests, "ScaledObject", "worker-cpu"), gateway.http, start)
        try:
            yield one_scaler
        finally:
            codes = one_scaler.end(pod["terminationGracePeriodSeconds"])
    for name, code in codes.items():
        log = (tmp_path / f"{name}.log").read_text("utf-8")
        assert code == 0 or (code == -SIGTERM and not log), "it was told before it had begun"
        assert "is killed" not in log, log


def _submit(client: Client, count: int, units: int = _UNITS) -> list[JobHandle]:
    job = TextToImage(prompt="a fox", n=units, num_inference_steps=4, seed=1)
    return list(client.submit_many([job] * count))


def _all_drawn_once(handles: list[JobHandle]) -> None:
    for handle in handles:
        outputs = handle.result.outputs
        assert [output.unit for output in outputs] == list(range(_UNITS))
        assert {output.attempts for output in outputs} == {1}


def _ride(scaler: Autoscaler, client: Client, handles: list[JobHandle]) -> int:
    """Let the farm grow and shrink until nobody is left; returns the most workers at a time."""
    most = 0

    def is_over() -> bool:
        nonlocal most
        scaler.step()
        most = max(most, len(scaler.pods))
        return not scaler.pods and not client.workers()

    _until(is_over, "the farm does not shrink to none", every_s=1.0)
    assert all(handle.status().state.is_terminal for handle in handles)
    return most


def test_a_farm_goes_from_none_to_many_and_back_and_loses_nothing(
    scaler: Autoscaler, client: Client, farm_settings: Settings
) -> None:
    """Twice: first nobody knows the pace, then a job of a second's work brings one worker."""
    assert scaler.look() == 0
    said = subprocess.run(
        [WINEPRESS, "submit", "text-to-image", "a fox", "-n", str(_UNITS), "--seed", "1"],
        env=environment(farm_settings),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "accepted, but no worker can render it now: no worker is alive" in said.stderr
    handles = [client.get(said.stdout.strip()), *_submit(client, 15)]
    assert "no worker is alive" in client.explain(handles[-1].id)
    assert scaler.look() > 0
    assert _ride(scaler, client, handles) == _SCALING["maxReplicas"]
    assert scaler.look() == 0
    again = _submit(client, 1)
    assert 0 < scaler.look() < 60, "the pace is not known any more"
    assert _ride(scaler, client, again) >= 1
    assert scaler.look() == 0
    _all_drawn_once([*handles, *again])
    assert client.snapshots.take(10, 0).lost == ()


def test_workers_that_go_under_load_drain_within_their_grace(
    scaler: Autoscaler, client: Client, manifests: list[Manifest]
) -> None:
    """They end what they draw, and the one that stays draws what they give back."""
    client.farm.pause()
    handles = _submit(client, 30)
    scaler.scale_to(3)
    _until(lambda: len(client.workers()) == 3, "the workers do not come")
    client.farm.resume()

    def drawing() -> set[str]:
        return {held.worker for held in client.snapshots.take(10, 0).slices}

    _until(lambda: len(drawing()) == 3, "not all of them draw")
    scaler.scale_to(1)
    grace_s = pods(manifests)["night-winepress-worker-cpu"]["terminationGracePeriodSeconds"]
    for pod in scaler.leaving:
        assert pod.await_end(grace_s) == 0
    (stayed,) = scaler.pods
    _until(lambda: [one.name for one in client.workers()] == [stayed.name], "others are listed")
    for handle in handles:
        handle.wait(timeout=_PATIENCE_S)
    _all_drawn_once(handles)


@pytest.fixture
def annotated(tmp_path: Path) -> Callable[[dict[str, str]], dict[str, int]]:
    """Run what the guide says, with a ``kubectl`` that only notes what it is told."""
    (block,) = (
        one for one in Page(ROOT / "docs" / "kubernetes.md").blocks if "deletion-cost" in one.text
    )
    (bin_ := tmp_path / "bin").mkdir()
    (bin_ / "kubectl").write_text('#!/bin/sh\necho "$@" >>"$NOTES"\n', "utf-8")
    (bin_ / "kubectl").chmod(0o755)
    notes = tmp_path / "notes"

    def run(variables: dict[str, str]) -> dict[str, int]:
        path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]])
        more = {"PATH": path, "NOTES": str(notes)}
        subprocess.run(["bash", "-euc", block.text], env=variables | more, check=True)
        return {pod: int(cost) for pod, cost in _COST.findall(notes.read_text("utf-8"))}

    return run


def test_the_coldest_worker_goes_where_the_operator_tells_kubernetes_of_models(
    scaler: Autoscaler,
    client: Client,
    farm_settings: Settings,
    annotated: Callable[[dict[str, str]], dict[str, int]],
) -> None:
    """By the guide's own lines; without them it is the youngest."""
    scaler.scale_to(2)
    _until(lambda: len(client.workers()) == 2, "the workers do not come")
    assert scaler.next_to_go is scaler.pods[1]
    (handle,) = _submit(client, 1, units=1)
    handle.wait(timeout=_PATIENCE_S)
    (drawer,) = {output.worker for output in handle.result.outputs}

    def warm() -> dict[str, Any]:
        return {each.name: each.renderer.get("warm", []) for each in client.workers()}

    _until(lambda: bool(warm()[drawer]), "the worker does not tell what it has loaded")
    costs = annotated(environment(farm_settings))
    assert costs == {name: len(models) for name, models in warm().items()}
    (cold,) = (name for name, cost in costs.items() if name != drawer)
    assert costs[drawer] > costs[cold]
    scaler.annotate(costs)
    scaler.scale_to(1)
    assert [pod.name for pod in scaler.pods] == [drawer]
    (after,) = _submit(client, 1, units=1)
    after.wait(timeout=_PATIENCE_S)
    assert {output.worker for output in after.result.outputs} == {drawer}
