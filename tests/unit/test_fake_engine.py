"""The fake engine fails exactly as it is asked to, so that everything around it can be tested."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import (
    CancelRequested,
    EnvironmentFault,
    FailForGood,
    RetryElsewhere,
    WorkerBroken,
    WrongUsage,
)
from winepress_shared.jobs.job import TextToImage
from winepress_shared.lane import Precision
from winepress_worker.engines.base import Request
from winepress_worker.engines.fake import FakeEngine, FakePipeline
from winepress_worker.fake_settings import FakeSettings, Fault

CATALOGUE = Catalogue.load()
STEPS = 5


class EndlessSleep(Exception):
    """Raised by a sleep that has been called often enough."""


def request(prompt: str, seeds: tuple[int, ...] = (1,)) -> Request:
    job = CATALOGUE.resolve(TextToImage(prompt=prompt, num_inference_steps=STEPS, seed=1))
    return Request(job, seeds)


def load(**settings: Any) -> FakePipeline:
    engine = FakeEngine(FakeSettings(**settings), sleep=lambda seconds: None)
    return engine.load(engine.prepare("vignette", Precision.FP16))


def steps_until(error: type[Exception], prompt: str) -> list[int]:
    calls: list[int] = []
    with pytest.raises(error):
        load().render(request(prompt), lambda done, total: calls.append(done))
    return calls


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RETRY, RetryElsewhere),
        (Fault.FAIL, FailForGood),
        (Fault.ENVIRONMENT, EnvironmentFault),
        (Fault.BROKEN, WorkerBroken),
        (Fault.BUG, ZeroDivisionError),
    ],
)
def test_a_marker_raises_its_fault_at_its_step(fault: Fault, error: type[Exception]) -> None:
    """The steps before it are counted, the one it strikes at is not."""
    assert steps_until(error, f"a cat [[{fault}@3]]") == [1, 2]


def test_a_marker_without_a_step_strikes_at_once() -> None:
    """No step is counted."""
    assert steps_until(RetryElsewhere, "[[retry]]") == []


def test_a_marker_with_a_seed_spares_every_other_picture() -> None:
    """One unit of a job is poisoned, the rest can be drawn."""
    assert len(load().render(request("[[retry#7]]", (6,)), lambda done, total: None)) == 1
    with pytest.raises(RetryElsewhere):
        load().render(request("[[retry#7]]", (6, 7)), lambda done, total: None)


def test_a_marker_that_strikes_once_lets_the_next_attempt_pass(tmp_path: Path) -> None:
    """The trace it leaves outlives the pipeline, as it must outlive a crash."""
    with pytest.raises(RetryElsewhere):
        load(scratch=tmp_path).render(request("[[retry!]]"), lambda done, total: None)
    assert load(scratch=tmp_path).render(request("[[retry!]]"), lambda done, total: None)


def test_an_unknown_marker_is_refused() -> None:
    """A typo in a test never means that nothing goes wrong."""
    with pytest.raises(FailForGood, match="unknown fault"):
        load().render(request("[[crush]]"), lambda done, total: None)


def test_a_flat_picture_is_noticed() -> None:
    """One colour all over is no picture; another device may do better."""
    with pytest.raises(RetryElsewhere, match="colour"):
        load().render(request("[[flat]]"), lambda done, total: None)


def test_a_deaf_render_goes_on_although_it_was_canceled() -> None:
    """All steps run, as with a driver that does not come back."""
    calls: list[int] = []

    def cancel(done: int, total: int) -> None:
        calls.append(done)
        raise CancelRequested("stop")

    assert load().render(request("[[deaf]]"), cancel)
    assert calls == list(range(1, STEPS + 1))


def test_a_hanging_render_takes_no_further_step() -> None:
    """It sleeps until somebody ends it."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 100:
            raise EndlessSleep

    engine = FakeEngine(sleep=sleep)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    calls: list[int] = []
    with pytest.raises(EndlessSleep):
        pipeline.render(request("[[hang@2]]"), lambda done, total: calls.append(done))
    assert calls == [1]


@pytest.mark.parametrize(("fault", "code"), [("exit", 70), ("crash", -signal.SIGSEGV)])
def test_a_crash_takes_the_process_with_it(fault: str, code: int) -> None:
    """No exception, no clean-up: the exit status is all that is left."""
    script = (
        "from winepress_shared.catalogue import Catalogue\n"
        "from winepress_shared.jobs.job import TextToImage\n"
        "from winepress_shared.lane import Precision\n"
        "from winepress_worker.engines.base import Request\n"
        "from winepress_worker.engines.fake import FakeEngine\n"
        "engine = FakeEngine()\n"
        f"job = Catalogue.load().resolve(TextToImage(prompt='[[{fault}]]', seed=1))\n"
        "pipeline = engine.load(engine.prepare('vignette', Precision.FP16))\n"
        "pipeline.render(Request(job, (1,)), lambda done, total: None)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert ended.returncode == code


def test_the_pace_is_kept_by_sleeping_for_every_step_and_picture() -> None:
    """Two pictures take twice as long as one."""
    slept: list[float] = []
    engine = FakeEngine(FakeSettings(step_s=0.5, load_s=3.0), sleep=slept.append)
    pipeline = engine.load(engine.prepare("vignette", Precision.FP16))
    pipeline.render(request("a cat", (1, 2)), lambda done, total: None)
    assert slept == [3.0] + [1.0] * STEPS


def test_loading_fails_when_the_settings_say_so() -> None:
    """Faults of loading belong to the machine, not to a job."""
    with pytest.raises(EnvironmentFault):
        load(load_fault=Fault.ENVIRONMENT)


def test_settings_are_read_from_the_name_of_the_engine() -> None:
    """``fake:step_s=0.1,load_fault=broken`` on the command line; a typo is refused."""
    assert FakeSettings.parse("") == FakeSettings()
    read = FakeSettings.parse("step_s=0.1,load_fault=broken")
    assert read == FakeSettings(step_s=0.1, load_fault=Fault.BROKEN)
    for bad in ("stepp_s=1", "step_s=fast", "load_fault=boom"):
        with pytest.raises(WrongUsage, match="fake"):
            FakeSettings.parse(bad)


def test_every_picture_leaves_its_lines_with_the_witness(tmp_path: Path) -> None:
    """When it is begun and when it is drawn; one that fails is not drawn."""
    witness = tmp_path / "witness"
    load(witness=witness).render(request("a fox", (1, 2)), lambda done, total: None)
    with pytest.raises(RetryElsewhere):
        load(witness=witness).render(request("[[retry]]"), lambda done, total: None)
    told = [json.loads(line) for line in witness.read_text().splitlines()]
    assert [(line["did"], line["prompt"], line["seed"]) for line in told] == [
        ("begin", "a fox", 1),
        ("begin", "a fox", 2),
        ("end", "a fox", 1),
        ("end", "a fox", 2),
        ("begin", "[[retry]]", 1),
    ]
