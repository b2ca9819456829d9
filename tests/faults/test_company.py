"""Pictures drawn in one call share its time, and not its misfortune."""

from __future__ import annotations

import pytest
from support.running_farm import RunningFarm, wait_until

from winepress import JobHandle, JobState, TextToImage
from winepress_shared.errors import JobFailed

_PATIENCE_S = 120
_SEED = 10


def _submit(running_farm: RunningFarm, prompt: str, n: int) -> JobHandle:
    return running_farm.client.submit(
        TextToImage(prompt=prompt, n=n, num_inference_steps=5, seed=10)
    )


@pytest.fixture(scope="module")
def company(running_farm: RunningFarm) -> RunningFarm:
    """Workers that have learned that four pictures in a call pay."""
    handle = _submit(running_farm, "learning", n=80).wait(_PATIENCE_S)
    assert max(output.batch for output in handle.result.outputs) == 4
    running_farm.assert_exactly_once([handle])
    return running_farm


def test_a_cancel_stops_all_pictures_of_a_call(company: RunningFarm) -> None:
    """Nothing of it is stored afterwards, and the workers go on."""
    handle = _submit(company, "canceled", n=400)
    for event in handle.events():
        if event.name == "progress":
            break
    handle.cancel()
    assert handle.status().state is JobState.CANCELED
    wait_until(company.is_quiet)
    stored = company.stored(handle)
    assert len(stored) < 400
    after = _submit(company, "after", n=4).wait(_PATIENCE_S)
    company.assert_exactly_once([after])
    assert company.stored(handle) == stored
    assert [event.name for event in handle.events()][-1] == "canceled"
    assert handle.status().state is JobState.CANCELED


def test_one_bad_picture_of_a_call_fails_alone(company: RunningFarm) -> None:
    """Its neighbours are drawn without it, at their first attempt."""
    handle = _submit(company, f"one is bad [[fail#{_SEED + 3}]]", n=24)
    with pytest.raises(JobFailed, match="1 of 24 pictures failed"):
        handle.wait(_PATIENCE_S)
    assert [failure.unit for failure in handle.result.failures] == [3]
    assert {output.attempts for output in handle.result.outputs} == {1}
    assert len(handle.result.outputs) == 23


def test_a_picture_that_kills_its_worker_takes_no_other_of_its_call_with_it(
    company: RunningFarm,
) -> None:
    """After the first death each is drawn alone: one is given up, and no other is lost."""
    handle = _submit(company, f"deadly [[crash@2#{_SEED + 5}]]", n=24)
    with pytest.raises(JobFailed, match="1 of 24 pictures failed"):
        handle.wait(_PATIENCE_S)
    assert [failure.unit for failure in handle.result.failures] == [5]
    attempts = [output.attempts for output in handle.result.outputs]
    assert len(attempts) == 23
    assert max(attempts) == 2
