"""Pictures of several jobs in one call: each is counted, stopped and settled with its own job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.renderer_in_memory import LANE, RendererInMemory

from winepress_shared.archive import Archive, output_key
from winepress_shared.errors import StoreUnreachable
from winepress_shared.jobs.job import TextToImage
from winepress_shared.ledger.in_memory import InMemoryLedger
from winepress_shared.ledger.records import Slice
from winepress_worker.engines.fake import FakeEngine
from winepress_worker.fake_settings import FakeSettings
from winepress_worker.renderer import store_outage

NAMES = ("j0", "j1", "j2", "j3")
STEPS = 4


class PatientLedger(InMemoryLedger):
    """A ledger in memory in which lanes may rest and units wait for other workers, unnoticed."""

    def release(
        self, fence: int, holder: str, park_ms: int = 0, reason: str = "", unserved: int = -1
    ) -> None:
        super().release(fence, holder)


class Farm:
    """A worker that draws four alike pictures in a call, and what happens in the midst of it."""

    def __init__(self, folder: Path) -> None:
        self.at_step: Callable[[], None] = lambda: None
        self.calls: list[int] = []  #: steps of each call so far
        engine = FakeEngine(FakeSettings(step_s=1.0, scratch=folder), sleep=self._sleep)
        self.renderer = RendererInMemory(folder / "store", engine, PatientLedger())
        self.ledger = self.renderer.ledger

    def _sleep(self, seconds: float) -> None:
        if seconds:  # not while it loads
            self.at_step()

    def submit(self, name: str, seed: int, marker: str = "", **fields: Any) -> None:
        values = {"num_inference_steps": STEPS, "pictures_per_call": 4, "width": 64, "height": 64}
        prompt = f"picture {seed} {marker}"
        self.renderer.submit(TextToImage(prompt=prompt, seed=seed, **(values | fields)), name)

    def claim(self) -> list[Slice]:
        return self.renderer.leases.claim(str(LANE), 1000, together=4, begin=True)

    def run(self, slices: list[Slice]) -> int:
        count = self.renderer.executor.run(*slices)
        self.renderer.delivery.settle()
        return count

    def is_stored(self, name: str) -> bool:
        return self.renderer.archive.store.head(output_key(name, 0, "png")) is not None

    def output(self, name: str) -> dict[str, Any]:
        result = json.loads(self.renderer.archive.store.get(f"jobs/{name}/result.json"))
        found: dict[str, Any] = result["outputs"][0]
        return found

    def states(self) -> list[str]:
        return [self.ledger.get(name).state.value for name in NAMES]

    def cancel(self, *names: str) -> None:
        """And let the worker hear of it at its next step."""
        for name in names:
            self.ledger.control(name, "cancel")
        fences = {fence for fence, one in self.ledger._leases.items() if one.job.new.id in names}
        for fence in fences:
            self.renderer.leases._reports.call_for(fence)
        self.at_step = lambda: None


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return Farm(tmp_path)


def test_each_picture_of_a_call_belongs_to_its_own_job(farm: Farm) -> None:
    """Seed, file format, row, result and state; the row says how many shared the call."""
    formats = ("png", "jpeg", "png", "webp")
    for seed, (name, file_format) in enumerate(zip(NAMES, formats, strict=True)):
        farm.submit(name, seed, output_format=file_format, priority="normal")
    slices = farm.claim()
    assert [slice_.job_id for slice_ in slices] == list(NAMES)
    assert farm.run(slices) == 4
    outputs = [farm.output(name) for name in NAMES]
    assert [one["seed"] for one in outputs] == [0, 1, 2, 3]
    assert [one["batch"] for one in outputs] == [4] * 4
    suffixes = [one["key"].rpartition(".")[2] for one in outputs]
    assert suffixes == ["png", "jpg", "png", "webp"]
    assert farm.states() == ["succeeded"] * 4


def test_a_job_that_is_canceled_in_the_midst_of_a_call_leaves_the_others_alone(farm: Farm) -> None:
    """Its slice ends at once, and its picture is thrown away."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed)
    slices = farm.claim()
    farm.at_step = lambda: farm.cancel("j1")
    farm.run(slices)
    assert farm.states() == ["succeeded", "canceled", "succeeded", "succeeded"]
    assert [farm.is_stored(name) for name in NAMES] == [True, False, True, True]
    assert [farm.output(name)["batch"] for name in ("j0", "j2", "j3")] == [4] * 3
    assert not farm.renderer.leases.holds(slices[1])


def test_a_call_all_of_whose_jobs_are_canceled_stops(farm: Farm) -> None:
    """Not a step more than it takes to hear of it; nothing is stored."""
    steps = []

    def cancel_all() -> None:
        farm.cancel(*NAMES)
        farm.at_step = lambda: steps.append(1)

    for seed, name in enumerate(NAMES):
        farm.submit(name, seed)
    slices = farm.claim()
    farm.at_step = cancel_all
    assert farm.run(slices) == 0
    assert steps == []
    assert not any(farm.is_stored(name) for name in NAMES)
    assert not any(map(farm.renderer.leases.holds, slices))
    assert farm.claim() == []


def test_a_job_that_is_canceled_before_its_turn_does_not_stay_in_hand(farm: Farm) -> None:
    """Its worker may draw another picture for a minute, and must be seen to obey meanwhile."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed, pictures_per_call=None)
    slices, held = farm.claim(), []

    def cancel_and_look() -> None:
        farm.cancel("j2")
        farm.at_step = lambda: held.append(farm.renderer.leases.holds(slices[2]))

    farm.at_step = cancel_and_look
    assert farm.run(slices) == 3
    assert held == [False] * (3 * STEPS - 1)
    assert farm.states() == ["succeeded", "succeeded", "canceled", "succeeded"]


@pytest.mark.parametrize(("verb", "state"), [("cancel", "canceled"), ("pause", "queued")])
@pytest.mark.parametrize("which", [0, 2])
def test_a_job_that_ends_before_its_call_begins_is_left_out_of_it(
    farm: Farm, verb: str, state: str, which: int
) -> None:
    """The others are planned anew; what is paused waits as if it had never been given out."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed)
    slices = farm.claim()
    farm.ledger.control(NAMES[which], verb)
    if which == 0:  # it was begun with the claim
        slices = [Slice(**{**vars(slices[0]), "begun": False}), *slices[1:]]
    farm.run(slices)
    others = [name for name in NAMES if name != NAMES[which]]
    assert [farm.ledger.get(name).state for name in others] == ["succeeded"] * 3
    assert farm.ledger.get(NAMES[which]).state == state
    if verb == "pause":
        farm.ledger.control(NAMES[which], "resume")
        (again,) = farm.claim()
        assert (again.attempts, again.alone) == (0, False)


def test_one_bad_picture_of_a_call_fails_with_its_own_job(farm: Farm) -> None:
    """Its neighbours are drawn without it, at their first attempt."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed, marker="[[fail#2]]")
    farm.run(farm.claim())
    assert farm.states() == ["succeeded", "succeeded", "failed", "succeeded"]
    assert {farm.output(name)["attempts"] for name in ("j0", "j1", "j3")} == {1}


def test_a_picture_to_be_tried_again_is_tried_alone(farm: Farm) -> None:
    """It may be what is wrong: nobody is asked to share a call with it."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed, marker="[[retry#0]]" if name == "j0" else "")
    farm.run(farm.claim())
    assert farm.states() == ["running", "succeeded", "succeeded", "succeeded"]
    farm.submit("j4", 5)
    (again,) = farm.claim()
    assert (again.job_id, again.attempts, again.alone) == ("j0", 1, True)


def test_a_job_whose_description_is_lost_ends_alone(farm: Farm) -> None:
    """The others of the claim are drawn."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed)
    farm.renderer.archive.store.delete("jobs/j1/job.json")
    farm.run(farm.claim())
    assert farm.states() == ["succeeded", "failed", "succeeded", "succeeded"]


@pytest.mark.parametrize("is_back", [True, False])
def test_a_store_that_does_not_take_a_picture_costs_nobody_an_attempt(
    is_back: bool, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures wait for it; if it stays away, they go back, with those that wait behind them."""
    write = Archive.write_output
    tries: list[str] = []

    def fail(self: Archive, key: str, data: bytes, row: dict[str, Any]) -> bool:
        if key.startswith("jobs/j1/") and not (tries and is_back):
            tries.append(key)
            raise StoreUnreachable("the store is away")
        return write(self, key, data, row)

    for seed, name in enumerate(NAMES):
        farm.submit(name, seed)
    monkeypatch.setattr(Archive, "write_output", fail)
    if not is_back:
        monkeypatch.setattr(store_outage, "PATIENCE_S", 0.0)
    farm.run(farm.claim())
    assert farm.states() == ["succeeded", *["succeeded" if is_back else "queued"] * 3]
    again = [(one.job_id, one.attempts, one.alone) for one in farm.claim()]
    assert again == ([] if is_back else [(name, 0, False) for name in NAMES[1:]])


def test_a_fault_of_the_surroundings_gives_all_slices_of_the_claim_back(farm: Farm) -> None:
    """What is left goes to other workers, without an attempt."""
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed, marker="[[environment#1]]")
    farm.run(farm.claim())
    assert farm.states() == ["succeeded", "queued", "queued", "queued"]
    assert farm.renderer.unfit.reasons
    others = farm.ledger.claim_together(str(LANE), "w2", "w2/1", 9, 4)
    assert [(one.job_id, one.alone) for one in others] == [(name, False) for name in NAMES[1:]]


def test_jobs_that_say_they_are_alike_and_are_not_are_drawn_apart(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger believes what it is told; the worker looks."""
    name = "winepress_shared.ledger.submissions.kind_of_call"
    monkeypatch.setattr(name, lambda job: "the-same")
    for seed, name in enumerate(NAMES):
        farm.submit(name, seed, width=128 if name == "j2" else 64)
    slices = farm.claim()
    assert len(slices) == 4
    farm.run(slices)
    assert farm.states() == ["succeeded"] * 4
    assert [farm.output(name)["width"] for name in NAMES] == [64, 64, 128, 64]
