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
    """After the first death each is drawn alone: one is given up, and no other loses an attempt."""
    handle = _submit(company, f"deadly [[crash@2#{_SEED + 5}]]", n=24)
    with pytest.raises(JobFailed, match="1 of 24 pictures failed"):
        handle.wait(_PATIENCE_S)
    assert [failure.unit for failure in handle.result.failures] == [5]
    assert [output.attempts for output in handle.result.outputs] == [1] * 23


def test_a_picture_that_kills_its_worker_takes_no_attempt_of_other_jobs(
    company: RunningFarm,
) -> None:
    """They shared calls with it; all of them succeed, and no attempt of theirs was consumed."""
    deadly = f"deadly for all [[crash@2#{_SEED + 5}]]"
    jobs = [
        TextToImage(prompt=deadly, num_inference_steps=5, seed=_SEED + number)
        for number in range(16)
    ]
    handles = company.client.submit_many(jobs)
    with pytest.raises(JobFailed, match="its worker died 3 times over it"):
        handles[5].wait(_PATIENCE_S)
    others = [handle.wait(_PATIENCE_S) for handle in handles if handle is not handles[5]]
    outputs = [output for handle in others for output in handle.result.outputs]
    assert {output.attempts for output in outputs} == {1}
    assert max(output.batch for output in outputs) > 1, "no two jobs shared a call"
    company.assert_exactly_once(others)


def test_a_cancel_of_one_job_leaves_those_alone_that_share_its_calls(company: RunningFarm) -> None:
    """Users who wait beside each other do not notice each other."""
    jobs = [
        TextToImage(prompt="beside each other", num_inference_steps=40, seed=number)
        for number in range(12)
    ]
    first, canceled, *others = company.client.submit_many(jobs)
    for event in canceled.events():
        if event.name == "progress":
            break
    canceled.cancel()
    company.assert_exactly_once([handle.wait(_PATIENCE_S) for handle in (first, *others)])
    assert canceled.status().state is JobState.CANCELED
    assert company.stored(canceled) == set()
