"""What goes wrong while a picture is drawn has the consequence its kind asks for."""

from __future__ import annotations

import psutil
import pytest
from support.running_farm import RunningFarm

from winepress import JobHandle, TextToImage
from winepress_shared.errors import JobCanceled, JobFailed

_PATIENCE_S = 120
_STEPS = 5


def _submit(running_farm: RunningFarm, prompt: str, n: int = 1) -> JobHandle:
    job = TextToImage(prompt=prompt, n=n, num_inference_steps=_STEPS, seed=10)
    return running_farm.client.submit(job)


def _starts(handle: JobHandle) -> int:
    return sum(event.name == "unit-started" for event in handle.events())


@pytest.mark.case(32)
@pytest.mark.parametrize(
    ("marker", "message", "attempts"),
    [("retry", "requested fault", 3), ("bug", "Error", 3), ("flat", "colour", 2)],
)
def test_a_failed_attempt_is_repeated_and_then_given_up(
    running_farm: RunningFarm, marker: str, message: str, attempts: int
) -> None:
    """Three attempts, whether the fault was foreseen or not; two where no picture came out."""
    handle = _submit(running_farm, f"always [[{marker}]]")
    with pytest.raises(JobFailed, match="1 of 1 pictures failed"):
        handle.wait(_PATIENCE_S)
    assert _starts(handle) == attempts
    (failure,) = handle.result.failures
    assert message in failure.message + failure.error


def test_a_fault_that_passes_costs_an_attempt_and_no_picture(running_farm: RunningFarm) -> None:
    """The second attempt succeeds, and the result says that it was the second."""
    handle = _submit(running_farm, "once [[retry!]]").wait(_PATIENCE_S)
    assert [output.attempts for output in handle.result.outputs] == [2]
    running_farm.assert_exactly_once([handle])


def test_what_can_never_work_is_not_tried_again(running_farm: RunningFarm) -> None:
    """FailForGood ends the unit at its first attempt; its neighbours are drawn."""
    handle = _submit(running_farm, "never [[fail#11]]", n=3)
    with pytest.raises(JobFailed, match="1 of 3 pictures failed"):
        handle.wait(_PATIENCE_S)
    assert _starts(handle) == 3
    assert [output.unit for output in handle.result.outputs] == [0, 2]


@pytest.mark.case(42)
def test_a_fault_of_the_surroundings_of_one_worker_is_anothers_turn_and_costs_no_attempt(
    running_farm: RunningFarm,
) -> None:
    """The slice is given back, the worker leaves the lane, and the other one goes on with it."""
    handle = _submit(running_farm, "disk full [[environment!]]", n=4).wait(_PATIENCE_S)
    notes = [e.fields["message"] for e in handle.events() if e.name == "note"]
    (left,) = [note.partition(" leaves it")[0] for note in notes if "leaves it" in note]
    outputs = handle.result.outputs
    assert {output.attempts for output in outputs} == {1}
    assert left not in {output.worker for output in outputs[1:]}
    running_farm.assert_exactly_once([handle])


def test_a_broken_process_is_replaced_and_its_picture_drawn_by_another(
    running_farm: RunningFarm,
) -> None:
    """WorkerBroken: the process ends, the job does not."""
    handle = _submit(running_farm, "device lost [[broken!]]").wait(_PATIENCE_S)
    running_farm.assert_exactly_once([handle])


@pytest.mark.case(30)
def test_a_renderer_that_hangs_and_does_not_hear_the_cancel_is_killed(
    running_farm: RunningFarm,
) -> None:
    """After its grace the process is replaced, and both workers go on."""
    handle = _submit(running_farm, "hangs [[hang@2]]")
    for event in handle.events():
        if event.name == "progress":
            break
    holder = next(e.fields["holder"] for e in handle.events() if e.name == "unit-started")
    renderer = psutil.Process(int(holder.rpartition("/")[2]))
    handle.cancel()
    with pytest.raises(JobCanceled):
        handle.wait(_PATIENCE_S)
    renderer.wait(_PATIENCE_S)
    following = [_submit(running_farm, f"after {number}", n=4) for number in range(3)]
    for one in following:
        one.wait(_PATIENCE_S)
    running_farm.assert_exactly_once(following)
